SELECT intent_id, vector
FROM intent_embeddings
WHERE model = $model AND intent_id IN (SELECT unnest($ids::VARCHAR[]))
ORDER BY intent_id;
