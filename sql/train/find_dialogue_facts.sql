SELECT
    id, rollout_index, status, user_turns, dialogue_turns, tool_call_count, drift_turns, user_model, agent_model,
    prompt_tokens, completion_tokens, cost_usd, backend, run_id, written_at
FROM simulated_dialogues
WHERE id = $dialogue;
