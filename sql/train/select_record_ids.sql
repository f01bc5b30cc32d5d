SELECT id FROM sft_split ORDER BY id;
