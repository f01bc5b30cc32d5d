WITH redaction AS (
    SELECT id, unnest((provenance -> '$.redactions')::JSON[]) AS one FROM sft_split
)
SELECT one ->> '$.kind' AS kind, count(DISTINCT id) AS records, sum((one ->> '$.count')::BIGINT)::BIGINT AS replaced
FROM redaction
GROUP BY kind
ORDER BY kind;
