SELECT content_hash, spec FROM task_catalog WHERE content_hash IN (SELECT unnest(?::VARCHAR[]));
