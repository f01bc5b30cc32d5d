-- The lists whose newest version had rows that could not be taken in.
SELECT persona_list, rows_good, rows_bad, problems
FROM (
    SELECT *
    FROM persona_lists
    QUALIFY row_number() OVER (PARTITION BY persona_list ORDER BY written_at DESC, source_sha256) = 1
)
WHERE json_array_length(problems) > 0
ORDER BY persona_list;
