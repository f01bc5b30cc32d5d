SELECT content_hash, name, domain, title, current, run_id, written_at
FROM task_catalog
WHERE content_hash IN (SELECT unnest($scenarios::VARCHAR[]))
ORDER BY name;
