SELECT
    s.id, s.split, coalesce(i.persona_id, s.provenance ->> '$.persona_id') AS persona_id,
    coalesce(i.tasks, (s.provenance -> '$.tasks')::VARCHAR[], []) AS tasks
FROM sft_split AS s
LEFT JOIN intent_pool AS i ON i.id = s.intent_id
ORDER BY s.id;
