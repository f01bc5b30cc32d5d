DELETE FROM deduped_pool WHERE domain = $domain AND intent_id IN (SELECT unnest($ids::VARCHAR[]));
