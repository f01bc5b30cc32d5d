-- of all sessions that have checks (not imported intents'), so that one without a trace counts against the share
SELECT
    count(*) AS sessions,
    count(*) FILTER (t.accepted) AS accepted,
    count(*) FILTER (t.reproduced) AS reproduced,
    count(*) FILTER (t.accepted AND t.reproduced) AS good
FROM simulated_dialogues AS d
LEFT JOIN executed_traces AS t ON t.dialogue_id = d.id
WHERE d.domain = $domain AND d.accepted_live IS NOT NULL;
