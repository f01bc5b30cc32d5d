SELECT e.intent_id, e.domain, i.utterance
FROM intent_embeddings e
JOIN intent_pool i ON i.id = e.intent_id
WHERE e.model = $model
    AND (
        $domain IS NULL
        OR e.generation <= (SELECT max(generation) FROM intent_embeddings WHERE model = $model AND domain = $domain)
    )
ORDER BY e.generation, e.intent_id;
