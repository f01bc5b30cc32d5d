SELECT
    d.id, d.domain, d.status, d.messages, d.calls, p.name AS persona_name, p.role AS persona_role,
    p.communication_style, t.accepted, t.reproduced, t.checks, t.guards, t.recovery_spans, t.failures, t.recoveries
FROM simulated_dialogues d
JOIN intent_pool i ON i.id = d.intent_id
LEFT JOIN persona_pool p ON p.id = i.persona_id
LEFT JOIN executed_traces t ON t.dialogue_id = d.id
WHERE starts_with(d.id, ?)
LIMIT 20;
