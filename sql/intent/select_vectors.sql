-- as they lie, which is in order of generation and id nearly always: sorting them here would take as long as reading them
SELECT e.intent_id, e.vector
FROM intent_embeddings e
WHERE e.model = $model
  AND e.intent_id IN (SELECT id FROM intent_pool);
