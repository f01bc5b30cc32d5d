SELECT
    i.id, i.domains, i.tasks, i.complexity, i.utterance, i.writer_model, i.run_id, i.written_at,
    k.run_id AS dedup_run, e.model AS embedding_model, e.generation, e.run_id AS embedding_run
FROM intent_pool AS i
LEFT JOIN deduped_pool AS k ON k.intent_id = i.id
LEFT JOIN intent_embeddings AS e ON e.intent_id = i.id
WHERE i.id = $intent
ORDER BY e.generation DESC NULLS LAST
LIMIT 1;
