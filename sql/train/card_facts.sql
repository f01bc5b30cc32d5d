SELECT DISTINCT
    provenance ->> '$.ise_assets' AS version, (provenance ->> '$.sampler_seed')::BIGINT AS seed, tokenizer
FROM sft_split
ORDER BY ALL;
