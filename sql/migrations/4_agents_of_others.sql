ALTER TABLE simulated_dialogues ADD COLUMN IF NOT EXISTS agent_command VARCHAR;
