-- train records that share a scenario with its parameters, or a held-out scenario, with what is tested on
WITH instance AS (
    SELECT s.id, s.split, unnest(i.seed::JSON[]) AS one
    FROM sft_split AS s
    JOIN intent_pool AS i ON i.id = s.intent_id
    WHERE i.seed IS NOT NULL
), hashed AS (
    SELECT id, split, one ->> '$.task' AS task, hash(one ->> '$.task', (one -> '$.params')::VARCHAR) AS instance
    FROM instance
)
SELECT
    count(DISTINCT id) FILTER (instance IN (SELECT instance FROM hashed WHERE split <> 'train')) AS instances,
    count(DISTINCT id) FILTER (list_contains($held_out::VARCHAR[], task)) AS scenarios
FROM hashed
WHERE split = 'train';
