WITH found AS (
    SELECT
        d.id, d.domain, d.status, d.accepted_live, d.user_turns, d.tool_call_count, d.drift_turns, d.cost_usd,
        d.agent_model, d.intent_id, t.accepted, t.reproduced, t.failures, t.recoveries,
        count(*) OVER () AS total
    FROM simulated_dialogues d
    LEFT JOIN executed_traces t ON t.dialogue_id = d.id
    LEFT JOIN intent_pool i ON i.id = d.intent_id
    LEFT JOIN persona_pool p ON p.id = i.persona_id
    WHERE ($domain IS NULL OR d.domain = $domain)
        AND ($status IS NULL OR d.status = $status)
        AND ($accepted IS NULL OR coalesce(t.accepted, d.accepted_live) = $accepted)
        AND ($reproduced IS NULL OR t.reproduced = $reproduced)
        AND ($failures IS NULL OR t.failures >= $failures)
        AND ($drift IS NULL OR d.drift_turns >= $drift)
        AND ($cost IS NULL OR d.cost_usd >= $cost)
        AND ($persona IS NULL OR contains(lower(concat_ws(' ', p.name, p.role, p.industry)), lower($persona)))
        AND ($text IS NULL OR contains(lower(i.utterance), lower($text)) OR starts_with(d.id, $text))
        AND ($task IS NULL OR list_contains(i.tasks, $task))
        AND ($tool IS NULL OR d.id IN (SELECT c.dialogue_id FROM tool_calls c WHERE c.name = $tool))
        AND ($failure IS NULL OR d.id IN (SELECT c.dialogue_id FROM tool_calls c WHERE c.failure_class = $failure))
    ORDER BY
        CASE $sort
            WHEN 'failures' THEN -coalesce(t.failures, 0)
            WHEN 'calls' THEN -d.tool_call_count
            WHEN 'cost' THEN -d.cost_usd
            WHEN 'newest' THEN -epoch(d.written_at)
            ELSE 0
        END,
        d.id
    LIMIT $limit OFFSET $offset
)
SELECT f.*, i.complexity, i.tasks, left(i.utterance, 200) AS utterance, p.name AS persona_name, p.role AS persona_role
FROM found f
LEFT JOIN intent_pool i ON i.id = f.intent_id
LEFT JOIN persona_pool p ON p.id = i.persona_id
ORDER BY
    CASE $sort
        WHEN 'failures' THEN -coalesce(f.failures, 0)
        WHEN 'calls' THEN -f.tool_call_count
        WHEN 'cost' THEN -f.cost_usd
        ELSE 0
    END,
    f.id;
