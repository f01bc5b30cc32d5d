SELECT id, domain, dialogue_id, intent_id, split, tokens, tokenizer, provenance, run_id, written_at
FROM sft_split
WHERE starts_with(id, $id) OR starts_with(dialogue_id, $id)
ORDER BY id
LIMIT 20;
