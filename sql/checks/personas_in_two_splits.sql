-- sessions with held-out scenarios are apart by scenario, not by persona
SELECT
    coalesce(i.persona_id, s.provenance ->> '$.persona_id') AS persona_id,
    list_sort(list(DISTINCT s.split)) AS splits
FROM sft_split AS s
LEFT JOIN intent_pool AS i ON i.id = s.intent_id
WHERE s.split <> 'test_scenarios' OR coalesce(i.persona_id, s.provenance ->> '$.persona_id') IS NULL
GROUP BY 1
HAVING count(DISTINCT s.split) > 1 OR persona_id IS NULL
ORDER BY 1;
