SELECT id, spec_hash, tokens FROM sft_split WHERE domain = $domain;
