SELECT accepted, reproduced, declined, failures, recoveries, backend, run_id, written_at
FROM executed_traces
WHERE dialogue_id = $dialogue;
