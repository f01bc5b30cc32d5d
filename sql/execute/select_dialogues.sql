SELECT id, intent_id, messages, tools, calls, subgoal_turns, files
FROM simulated_dialogues
WHERE id IN (SELECT unnest(?::VARCHAR[]))
ORDER BY id;
