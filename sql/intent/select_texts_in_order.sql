SELECT e.intent_id, e.domain, i.utterance
FROM intent_embeddings e
JOIN intent_pool i ON i.id = e.intent_id
WHERE e.model = $model AND e.generation <= $until
ORDER BY e.generation, e.intent_id;
