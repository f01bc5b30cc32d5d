SELECT id, messages FROM sft_split WHERE domain = $domain;
