SELECT content_hash, run_id, spec FROM task_catalog;
