SELECT s.id, d.messages AS before, s.messages AS after, s.provenance -> '$.redactions' AS redactions
FROM sft_split AS s
JOIN simulated_dialogues AS d ON d.id = s.dialogue_id
WHERE s.domain = $domain AND json_array_length(s.provenance, '$.redactions') > 0;
