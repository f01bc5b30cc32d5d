SELECT intent_id, spec_hash FROM deduped_pool WHERE domain = $domain
UNION ALL
SELECT intent_id, spec_hash FROM dropped_duplicates WHERE domain = $domain;
