SELECT dialogue_id, list(DISTINCT name ORDER BY name) AS tools FROM tool_calls GROUP BY dialogue_id;
