SELECT DISTINCT unnest(tasks) AS task FROM intent_pool ORDER BY task;
