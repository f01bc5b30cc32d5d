-- of all sessions whose intents have checks (imported ones have none), so that one without a trace counts against the share
SELECT
    count(*) AS sessions,
    count(*) FILTER (t.accepted) AS accepted,
    count(*) FILTER (t.reproduced) AS reproduced,
    count(*) FILTER (t.accepted AND t.reproduced) AS good
FROM simulated_dialogues AS d
LEFT JOIN executed_traces AS t ON t.dialogue_id = d.id
LEFT JOIN intent_pool AS i ON i.id = d.intent_id
WHERE d.domain = $domain AND coalesce(json_array_length(i.acceptance), 1) > 0;
