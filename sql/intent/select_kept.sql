SELECT d.intent_id, d.domain, i.utterance, i.persona_id, i.tasks, i.complexity, e.vector
FROM deduped_pool d
JOIN intent_pool i ON i.id = d.intent_id
JOIN intent_embeddings e ON e.intent_id = d.intent_id AND e.model = $model
WHERE $domain IS NULL OR d.domain = $domain
ORDER BY d.intent_id;
