SELECT
    count(*) AS sessions,
    avg(user_turns) AS user_turns,
    avg((user_turns BETWEEN 6 AND 10)::INTEGER) AS six_to_ten,
    avg(dialogue_turns) AS dialogue_turns,
    avg(tool_call_count) AS tool_calls,
    avg(distinct_tools) AS distinct_tools
FROM simulated_dialogues
WHERE domain = $domain AND status <> 'error';
