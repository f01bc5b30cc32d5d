SELECT call_index, tool_call_id, outcome, failure_class, exit_code, replay_outcome, replay_exit_code, reproduced, recovery_id, duration_ms
FROM tool_calls
WHERE dialogue_id = $id
ORDER BY call_index;
