SELECT
    count(*) AS sessions,
    coalesce(histogram(status), MAP {}) AS statuses,
    count(*) FILTER (accepted_live) AS accepted_live,
    -- the user's judgement beside the checks': content too soon, or not content although all was done
    count(*) FILTER (status = 'completed' AND NOT accepted_live) AS early_stops,
    count(*) FILTER (status IN ('gave_up', 'turn_limit') AND accepted_live) AS late_stops,
    avg(user_turns) AS user_turns_mean,
    avg(dialogue_turns) AS dialogue_turns_mean,
    avg(tool_call_count) AS tool_calls_mean,
    avg(distinct_tools) AS distinct_tools_mean,
    coalesce(sum(drift_turns), 0)::BIGINT AS drift_turns,
    coalesce(sum(leaked_turns), 0)::BIGINT AS leaked_turns,
    sum(responsive_turns) / nullif(sum(user_turns - 1), 0) AS responsive_share,
    avg(register_distance) AS register_distance,
    coalesce(sum(regenerated_turns), 0)::BIGINT AS regenerated_turns,
    coalesce(sum(cost_usd), 0) AS cost_usd,
    sum(cost_usd) / nullif(count(*) FILTER (accepted_live), 0) AS cost_usd_per_accepted,
    coalesce(sum(prompt_tokens), 0)::BIGINT AS prompt_tokens,
    coalesce(sum(completion_tokens), 0)::BIGINT AS completion_tokens
FROM simulated_dialogues
WHERE domain = $domain;
