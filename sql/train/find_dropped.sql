SELECT dialogue_id, reason, detail FROM sft_dropped WHERE starts_with(dialogue_id, $id) ORDER BY dialogue_id LIMIT 1;
