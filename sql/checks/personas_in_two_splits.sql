SELECT
    coalesce(i.persona_id, s.provenance ->> '$.persona_id') AS persona_id,
    list_sort(list(DISTINCT s.split)) AS splits
FROM sft_split AS s
LEFT JOIN intent_pool AS i ON i.id = s.intent_id
GROUP BY 1
HAVING count(DISTINCT s.split) > 1 OR persona_id IS NULL
ORDER BY 1;
