-- the scenario instances of intents, each as a hash of its scenario and the parameters drawn
WITH instance AS (
    SELECT id, unnest(seed::JSON[]) AS one
    FROM intent_pool
    WHERE id IN (SELECT unnest($ids::VARCHAR[])) AND seed IS NOT NULL
)
SELECT id, list(hash(one ->> '$.task', (one -> '$.params')::VARCHAR)) AS instances
FROM instance
GROUP BY id;
