SELECT
    provenance ->> '$.models.intent_writer' AS intent_writer,
    provenance ->> '$.models.user' AS user_model,
    provenance ->> '$.models.agent' AS agent,
    (provenance ->> '$.scripted')::BOOLEAN AS scripted,
    provenance ->> '$.licence' AS licence,
    count(*) AS records
FROM sft_split
GROUP BY ALL
ORDER BY records DESC, intent_writer, user_model, agent, licence;
