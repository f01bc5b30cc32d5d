CREATE TABLE IF NOT EXISTS simulated_dialogues (
    id VARCHAR, domain VARCHAR, intent_id VARCHAR, rollout_index INTEGER, status VARCHAR, stop_reason VARCHAR,
    accepted_live BOOLEAN, attempts INTEGER, user_turns INTEGER, dialogue_turns INTEGER, tool_call_count INTEGER,
    distinct_tools INTEGER, drift_turns INTEGER, leaked_turns INTEGER,
    responsive_turns INTEGER, register_distance DOUBLE, regenerated_turns INTEGER, messages JSON, tools JSON, calls JSON,
    elisions JSON, subgoal_turns JSON, live_checks JSON, files JSON, user_model VARCHAR, agent_model VARCHAR, agent_command VARCHAR,
    prompt_tokens BIGINT,
    completion_tokens BIGINT, cost_usd DOUBLE, duration_s DOUBLE, backend VARCHAR,
    run_id VARCHAR, spec_hash VARCHAR, written_at TIMESTAMPTZ
);

CREATE TABLE IF NOT EXISTS tool_calls (
    dialogue_id VARCHAR, domain VARCHAR, call_index INTEGER, user_turn INTEGER, tool_call_id VARCHAR, name VARCHAR,
    arguments JSON, outcome VARCHAR, failure_class VARCHAR, exit_code INTEGER, stdout VARCHAR, stderr VARCHAR,
    truncated BOOLEAN, duration_ms DOUBLE, replay_outcome VARCHAR, replay_exit_code INTEGER, reproduced BOOLEAN,
    recovery_id VARCHAR, run_id VARCHAR, spec_hash VARCHAR, written_at TIMESTAMPTZ
);

CREATE TABLE IF NOT EXISTS executed_traces (
    dialogue_id VARCHAR, domain VARCHAR, intent_id VARCHAR, accepted BOOLEAN, declined BOOLEAN, checks JSON,
    guards JSON, reproduced BOOLEAN, divergence JSON, failures INTEGER, recoveries INTEGER, recovery_spans JSON,
    changed_files JSON, backend VARCHAR, run_id VARCHAR, spec_hash VARCHAR, written_at TIMESTAMPTZ
);

CREATE TABLE IF NOT EXISTS sft_split (
    id VARCHAR, domain VARCHAR, dialogue_id VARCHAR, intent_id VARCHAR, split VARCHAR, messages JSON, tools JSON,
    train_mask JSON, tokens BIGINT, tokenizer VARCHAR, provenance JSON,
    run_id VARCHAR, spec_hash VARCHAR, written_at TIMESTAMPTZ
);
