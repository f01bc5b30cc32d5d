SELECT
    count(*) AS calls,
    count(*) FILTER (exit_code <> 0 OR replay_exit_code <> 0) AS failures,
    count(*) FILTER (
        (exit_code <> 0 AND outcome IS NOT DISTINCT FROM 'ok')
        OR (replay_exit_code <> 0 AND replay_outcome IS NOT DISTINCT FROM 'ok')
        OR outcome IS NULL
    ) AS mislabelled
FROM tool_calls
WHERE domain = $domain;
