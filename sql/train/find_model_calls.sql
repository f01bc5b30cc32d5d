SELECT
    role, model, count(*) AS calls, sum(prompt_tokens)::BIGINT AS prompt_tokens,
    sum(completion_tokens)::BIGINT AS completion_tokens, sum(cost_usd) AS cost_usd
FROM llm_calls
WHERE item_id IN ($dialogue, $intent)
GROUP BY role, model
ORDER BY role, model;
