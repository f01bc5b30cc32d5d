-- seconds a session with these models takes, mean; NULL where none has run
SELECT avg(duration_s) AS seconds, count(*) AS sessions
FROM simulated_dialogues
WHERE user_model = $user_model AND agent_model = $agent_model AND status <> 'error';
