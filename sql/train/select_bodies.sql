SELECT id, messages, tools FROM simulated_dialogues WHERE id IN (SELECT unnest($ids::VARCHAR[])) ORDER BY id;
