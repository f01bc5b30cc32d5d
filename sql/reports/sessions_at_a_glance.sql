SELECT
    count(*) AS sessions,
    avg((t.accepted AND t.reproduced)::INT) AS good,
    avg((t.recoveries > 0)::INT) AS recovered,
    avg(d.user_turns) AS user_turns,
    avg(d.tool_call_count) AS tool_calls
FROM executed_traces t
JOIN simulated_dialogues d ON d.id = t.dialogue_id;
