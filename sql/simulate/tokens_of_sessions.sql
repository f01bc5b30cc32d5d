-- what a session asks of each model, mean: of sessions with these models where there are any, else of all
WITH per_session AS (
    SELECT
        call.item_id,
        call.role,
        any_value(session.user_model = $user_model AND session.agent_model = $agent_model) AS same,
        count(*) AS calls,
        sum(call.prompt_tokens) AS sent,
        sum(call.completion_tokens) AS received
    FROM llm_calls AS call
    JOIN simulated_dialogues AS session ON session.id = call.item_id
    WHERE call.role IN ('user', 'agent')
    GROUP BY ALL
)

SELECT role, avg(calls) AS calls, avg(sent) AS sent, avg(received) AS received
FROM per_session
WHERE same OR NOT (SELECT bool_or(same) FROM per_session)
GROUP BY role
ORDER BY role;
