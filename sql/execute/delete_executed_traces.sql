DELETE FROM executed_traces WHERE dialogue_id IN (SELECT unnest(?::VARCHAR[]));
