SELECT id, dialogue_id, intent_id, domain, split, messages, tools, train_mask, tokens, tokenizer, provenance
FROM sft_split
WHERE starts_with(id, $id) OR starts_with(dialogue_id, $id)
ORDER BY id
LIMIT 2;
