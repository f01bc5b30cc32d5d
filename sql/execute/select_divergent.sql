SELECT dialogue_id FROM executed_traces WHERE domain = $domain AND NOT reproduced ORDER BY dialogue_id LIMIT 10;
