SELECT pass_rate, count(*) AS intents
FROM (
    SELECT intent_id, round(avg(accepted_live::INTEGER), 2) AS pass_rate
    FROM simulated_dialogues
    WHERE domain = $domain AND status <> 'error' AND accepted_live IS NOT NULL
    GROUP BY intent_id
)
GROUP BY pass_rate
ORDER BY pass_rate;
