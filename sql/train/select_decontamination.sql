SELECT domain, dialogue_id, message_index, item, rule, overlap, excerpt
FROM decontamination
ORDER BY overlap DESC, dialogue_id, message_index, item;
