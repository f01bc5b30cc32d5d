-- over all sessions, not over records: what was dropped drifted too
SELECT
    coalesce(sum(user_turns), 0)::BIGINT AS user_turns, coalesce(sum(drift_turns), 0)::BIGINT AS drift_turns,
    coalesce(sum(regenerated_turns), 0)::BIGINT AS regenerated_turns
FROM simulated_dialogues;
