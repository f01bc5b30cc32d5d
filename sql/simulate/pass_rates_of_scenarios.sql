-- of sessions that ran to their end; a session counts for each of its scenarios
SELECT task, count(*) AS sessions, avg(accepted_live::INTEGER) AS pass_rate
FROM (
    SELECT unnest(intent.tasks) AS task, session.accepted_live
    FROM simulated_dialogues AS session
    JOIN intent_pool AS intent ON intent.id = session.intent_id
    WHERE session.domain = $domain AND session.status <> 'error'
)
GROUP BY task
ORDER BY pass_rate, task;
