UPDATE task_catalog SET current = true WHERE content_hash IN (SELECT content_hash FROM incoming);
