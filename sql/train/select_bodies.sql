-- one scan for all sessions of a domain: pages of ids would read the long columns once each
SELECT
    d.id, d.messages, d.tools, concat_ws(' ', i.seed, i.subgoals, i.acceptance) AS invented,
    f.recovered_failures, f.unlabelled_errors
FROM simulated_dialogues AS d
LEFT JOIN intent_pool AS i ON i.id = d.intent_id
LEFT JOIN (
    SELECT
        c.dialogue_id,
        coalesce(list(c.tool_call_id) FILTER (WHERE list_contains(r.calls, c.call_index)), []) AS recovered_failures,
        coalesce(list(c.tool_call_id) FILTER (WHERE c.outcome = 'ok' AND c.failure_class <> 'benign'), []) AS unlabelled_errors
    FROM tool_calls AS c
    LEFT JOIN (
        SELECT
            t.dialogue_id,
            list_transform(
                list_filter(t.recovery_spans::JSON[], lambda span: (span ->> 'recovered_call') IS NOT NULL),
                lambda span: (span ->> 'failed_call')::INTEGER
            ) AS calls
        FROM executed_traces AS t
        WHERE t.domain = $domain
    ) AS r ON r.dialogue_id = c.dialogue_id
    WHERE c.domain = $domain
    GROUP BY c.dialogue_id
) AS f ON f.dialogue_id = d.id
WHERE d.domain = $domain AND d.id IN (SELECT unnest($ids::VARCHAR[]));
