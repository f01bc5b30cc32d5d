-- compared as text, not as JSON values: a changed escape is a change; records with redactions are compared elsewhere
SELECT s.id
FROM sft_split AS s
LEFT JOIN simulated_dialogues AS d ON d.id = s.dialogue_id
WHERE s.domain = $domain
  AND (d.id IS NULL
       OR (s.messages::VARCHAR IS DISTINCT FROM d.messages::VARCHAR
           AND coalesce(json_array_length(s.provenance, '$.redactions'), 0) = 0)
       OR s.tools::VARCHAR IS DISTINCT FROM d.tools::VARCHAR)
ORDER BY s.id;
