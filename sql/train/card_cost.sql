SELECT
    role, model, count(*) AS calls, coalesce(sum(prompt_tokens), 0)::BIGINT AS prompt_tokens,
    coalesce(sum(completion_tokens), 0)::BIGINT AS completion_tokens, sum(cost_usd) AS cost_usd,
    count(*) FILTER (cost_usd IS NULL) AS unpriced
FROM llm_calls
GROUP BY role, model
ORDER BY role, model;
