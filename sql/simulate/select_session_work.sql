SELECT
    kept.intent_id,
    rollout.rollout_index,
    intent.spec_hash AS intent_spec_hash,
    json_array_length(intent.acceptance) = 0 AS unverified,
    session.status,
    session.attempts,
    session.spec_hash,
    count(*) FILTER (session.accepted_live) OVER (PARTITION BY kept.intent_id) AS accepted
FROM deduped_pool AS kept
JOIN intent_pool AS intent ON intent.id = kept.intent_id
CROSS JOIN (SELECT unnest(range($rollouts))::INTEGER AS rollout_index) AS rollout
LEFT JOIN simulated_dialogues AS session
    ON session.intent_id = kept.intent_id AND session.rollout_index = rollout.rollout_index
WHERE kept.domain = $domain
ORDER BY rollout.rollout_index, kept.intent_id;
