-- means of the sessions that ran to their end, and the standard error of each
SELECT
    count(*) AS sessions,
    avg((user_turns BETWEEN 6 AND 10)::INTEGER) AS six_to_ten,
    avg(user_turns) AS user_turns,
    avg(dialogue_turns) AS dialogue_turns,
    avg(tool_call_count) AS tool_calls,
    avg(distinct_tools) AS distinct_tools,
    stddev_samp(user_turns) / sqrt(count(*)) AS user_turns_error,
    stddev_samp(dialogue_turns) / sqrt(count(*)) AS dialogue_turns_error,
    stddev_samp(tool_call_count) / sqrt(count(*)) AS tool_calls_error,
    stddev_samp(distinct_tools) / sqrt(count(*)) AS distinct_tools_error
FROM simulated_dialogues
WHERE domain = $domain AND status <> 'error';
