-- every session of every domain with what the policies and the provenance need, without the long bodies
SELECT
    d.id AS dialogue_id, d.domain, d.intent_id, d.rollout_index, d.status, d.user_model, d.agent_model, d.agent_command, d.backend,
    d.tool_call_count, d.run_id AS dialogue_run, d.spec_hash AS dialogue_spec,
    t.dialogue_id IS NOT NULL AS replayed, t.accepted, t.reproduced, t.declined, t.failures, t.recoveries,
    t.run_id AS trace_run,
    i.id IS NOT NULL AS intent_known, i.persona_id, i.persona_list, i.tasks, i.complexity,
    i.scenario_hashes, i.writer_model, i.spec_hash AS intent_spec, i.run_id AS intent_run,
    k.run_id AS dedup_run,
    p.id IS NOT NULL AS persona_known, p.source_sha256 AS persona_list_sha256, p.run_id AS persona_run
FROM simulated_dialogues AS d
LEFT JOIN executed_traces AS t ON t.dialogue_id = d.id
LEFT JOIN intent_pool AS i ON i.id = d.intent_id
LEFT JOIN deduped_pool AS k ON k.intent_id = d.intent_id
LEFT JOIN persona_pool AS p ON p.id = i.persona_id
ORDER BY d.id;
