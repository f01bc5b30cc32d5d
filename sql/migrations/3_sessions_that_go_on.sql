ALTER TABLE simulated_dialogues ADD COLUMN IF NOT EXISTS elisions JSON;
ALTER TABLE simulated_dialogues ADD COLUMN IF NOT EXISTS leaked_turns INTEGER;
ALTER TABLE simulated_dialogues ADD COLUMN IF NOT EXISTS responsive_turns INTEGER;
ALTER TABLE simulated_dialogues ADD COLUMN IF NOT EXISTS register_distance DOUBLE;
