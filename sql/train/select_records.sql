SELECT id, dialogue_id, intent_id, domain, split, messages, tools, train_mask, tokens, tokenizer, provenance
FROM sft_split;
