SELECT id, intent_id, messages, tools, calls, subgoal_turns, files, agent_command
FROM simulated_dialogues
WHERE id IN (SELECT unnest(?::VARCHAR[]))
ORDER BY id;
