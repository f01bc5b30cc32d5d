ALTER TABLE simulated_dialogues ADD COLUMN IF NOT EXISTS elisions JSON;
