-- the shape of the records, for comparison with ISE's
SELECT
    count(*) AS records,
    avg(d.user_turns) AS user_turns, median(d.user_turns) AS user_turns_median, max(d.user_turns) AS user_turns_max,
    avg((d.user_turns BETWEEN 6 AND 10)::INTEGER) AS user_turns_6_to_10,
    avg(d.dialogue_turns) AS dialogue_turns, max(d.dialogue_turns) AS dialogue_turns_max,
    avg(d.tool_call_count) AS tool_calls, avg(d.distinct_tools) AS distinct_tools,
    avg(len(i.domains)) AS domains, avg(len(i.tasks)) AS tasks,
    avg(s.tokens) AS tokens, max(s.tokens) AS tokens_max,
    count(DISTINCT i.persona_id) AS personas
FROM sft_split AS s
JOIN simulated_dialogues AS d ON d.id = s.dialogue_id
LEFT JOIN intent_pool AS i ON i.id = s.intent_id;
