SELECT
    p.id, p.intent_id, p.domain, p.split, s.dialogue_id AS chosen_dialogue_id, p.rejected_dialogue_id,
    s.messages AS chosen, p.rejected_messages AS rejected, s.tools, s.provenance, p.redactions
FROM preference_pairs AS p
JOIN sft_split AS s ON s.id = p.chosen_id;
