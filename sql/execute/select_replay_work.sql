SELECT
    d.id,
    sha256(concat_ws('|', d.messages::VARCHAR, d.calls::VARCHAR, d.subgoal_turns::VARCHAR)) AS body_hash,
    t.spec_hash AS trace_spec_hash,
    d.written_at > t.written_at AS newer
FROM simulated_dialogues d
LEFT JOIN executed_traces t ON t.dialogue_id = d.id
WHERE d.domain = $domain AND d.status <> 'error'
ORDER BY d.id;
