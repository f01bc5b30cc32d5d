SELECT persona_list, source_sha256, rows_good, rows_bad, run_id, written_at
FROM persona_lists
WHERE persona_list = $list AND source_sha256 = $sha256
ORDER BY written_at DESC
LIMIT 1;
