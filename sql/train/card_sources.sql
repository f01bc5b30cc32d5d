SELECT
    provenance ->> '$.persona_list' AS persona_list,
    provenance ->> '$.persona_list_sha256' AS sha256,
    count(DISTINCT provenance ->> '$.persona_id') AS personas,
    count(*) AS records
FROM sft_split
GROUP BY ALL
ORDER BY ALL;
