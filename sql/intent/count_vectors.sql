SELECT count(*)
FROM intent_embeddings
WHERE model = $model
    AND (
        $domain IS NULL
        OR generation <= (SELECT max(generation) FROM intent_embeddings WHERE model = $model AND domain = $domain)
    );
