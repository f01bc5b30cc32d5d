SELECT * FROM intent_pool WHERE id IN (SELECT unnest(?::VARCHAR[]));
