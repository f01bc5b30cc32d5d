-- as they lie, which is in order of generation and id nearly always: sorting them here would take as long as reading them
SELECT intent_id, vector
FROM intent_embeddings
WHERE model = $model AND generation <= $until;
