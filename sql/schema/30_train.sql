-- why a session of the domain gave no record
CREATE TABLE IF NOT EXISTS sft_dropped (
    dialogue_id VARCHAR, domain VARCHAR, reason VARCHAR, detail VARCHAR, run_id VARCHAR, written_at TIMESTAMPTZ
);

-- an accepted record beside a rejected session of the same intent and agent
CREATE TABLE IF NOT EXISTS preference_pairs (
    id VARCHAR, domain VARCHAR, intent_id VARCHAR, split VARCHAR, chosen_id VARCHAR, rejected_dialogue_id VARCHAR,
    rejected_messages JSON, redactions JSON, run_id VARCHAR, written_at TIMESTAMPTZ
);

-- what of a benchmark was found in a session, or lies near its utterance
CREATE TABLE IF NOT EXISTS decontamination (
    dialogue_id VARCHAR, domain VARCHAR, message_index INTEGER, item VARCHAR, rule VARCHAR, overlap DOUBLE,
    excerpt VARCHAR, run_id VARCHAR, written_at TIMESTAMPTZ
);
