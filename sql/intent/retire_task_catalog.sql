UPDATE task_catalog SET current = false;
