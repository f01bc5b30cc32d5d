DELETE FROM dropped_duplicates WHERE domain = $domain AND intent_id IN (SELECT unnest($ids::VARCHAR[]));
