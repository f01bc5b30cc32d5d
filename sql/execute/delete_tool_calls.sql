DELETE FROM tool_calls WHERE dialogue_id IN (SELECT unnest(?::VARCHAR[]));
