INSERT INTO task_catalog BY NAME
SELECT * FROM incoming
WHERE content_hash NOT IN (SELECT content_hash FROM task_catalog);
