SELECT d.id AS dialogue_id, e.vector
FROM simulated_dialogues AS d
JOIN intent_embeddings AS e ON e.intent_id = d.intent_id AND e.model = $model
WHERE d.domain = $domain
ORDER BY d.id;
