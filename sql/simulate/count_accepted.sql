SELECT intent_id, count(*) FILTER (accepted_live) AS accepted
FROM simulated_dialogues
WHERE domain = $domain
GROUP BY intent_id;
