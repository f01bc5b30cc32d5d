-- the funnel and the shape of the records, a row per domain and one (domain NULL) for all of them
WITH session AS (
    SELECT
        d.domain, d.user_turns, d.dialogue_turns, d.tool_call_count,
        d.status = 'completed' AS completed,
        coalesce(t.accepted, false) AS accepted,
        coalesce(t.reproduced, false) AS reproduced,
        coalesce(t.failures, 0) AS failures,
        coalesce(t.recoveries, 0) AS recoveries,
        s.split, s.tokens, s.id IS NOT NULL AS exported
    FROM simulated_dialogues AS d
    LEFT JOIN executed_traces AS t ON t.dialogue_id = d.id
    LEFT JOIN sft_split AS s ON s.dialogue_id = d.id
)
SELECT
    domain,
    count(*) AS sessions,
    count(*) FILTER (completed) AS completed,
    count(*) FILTER (accepted) AS accepted,
    count(*) FILTER (reproduced) AS reproduced,
    count(*) FILTER (exported) AS records,
    count(*) FILTER (split = 'train') AS train,
    count(*) FILTER (split = 'validation') AS validation,
    count(*) FILTER (split = 'test') AS test,
    count(*) FILTER (split = 'test_scenarios') AS test_scenarios,
    avg(user_turns) FILTER (exported) AS user_turns,
    avg(dialogue_turns) FILTER (exported) AS dialogue_turns,
    avg(tool_call_count) FILTER (exported) AS tool_calls,
    coalesce(sum(tool_call_count) FILTER (exported), 0)::BIGINT AS tool_calls_total,
    coalesce(sum(failures) FILTER (exported), 0)::BIGINT AS failures,
    coalesce(sum(recoveries) FILTER (exported), 0)::BIGINT AS recoveries,
    count(*) FILTER (exported AND recoveries > 0) AS with_recovery,
    coalesce(sum(tokens), 0)::BIGINT AS tokens
FROM session
GROUP BY GROUPING SETS ((domain), ())
ORDER BY domain NULLS LAST;
