SELECT
    d.*, i.persona_list, i.complexity, i.tasks, i.subgoals, i.writer_model, i.run_id AS intent_run_id,
    i.scenario_hashes, p.name AS persona_name, p.role AS persona_role, p.industry, p.communication_style, p.work_context,
    t.accepted, t.declined, t.reproduced, t.checks, t.guards, t.divergence, t.recovery_spans, t.changed_files,
    t.failures, t.recoveries, t.run_id AS trace_run_id, s.split, s.run_id AS sft_run_id
FROM simulated_dialogues d
LEFT JOIN intent_pool i ON i.id = d.intent_id
LEFT JOIN persona_pool p ON p.id = i.persona_id
LEFT JOIN executed_traces t ON t.dialogue_id = d.id
LEFT JOIN sft_split s ON s.dialogue_id = d.id
WHERE d.id = $id
LIMIT 1;
