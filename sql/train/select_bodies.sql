-- one scan for all sessions of a domain: pages of ids would read the long columns once each
SELECT d.id, d.messages, d.tools, concat_ws(' ', i.seed, i.subgoals, i.acceptance) AS invented
FROM simulated_dialogues AS d
LEFT JOIN intent_pool AS i ON i.id = d.intent_id
WHERE d.domain = $domain AND d.id IN (SELECT unnest($ids::VARCHAR[]));
