SELECT
    count(*) AS traces,
    coalesce(sum(reproduced::INT), 0)::BIGINT AS reproduced,
    coalesce(sum(accepted::INT), 0)::BIGINT AS accepted,
    coalesce(sum(declined::INT), 0)::BIGINT AS declined,
    coalesce(sum(failures), 0)::BIGINT AS failures,
    coalesce(sum(recoveries), 0)::BIGINT AS recoveries,
    coalesce(sum((recoveries > 0)::INT), 0)::BIGINT AS sessions_with_recovery,
    (SELECT count(*) FROM tool_calls WHERE domain = $domain) AS calls
FROM executed_traces
WHERE domain = $domain;
