DELETE FROM preference_pairs WHERE domain = $domain OR chosen_id NOT IN (SELECT id FROM sft_split);
