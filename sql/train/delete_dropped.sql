DELETE FROM sft_dropped WHERE domain = $domain;
