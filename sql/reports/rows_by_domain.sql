SELECT 'intent_pool' AS "table", domain, count(*) AS n FROM intent_pool GROUP BY domain
UNION ALL SELECT 'intent_embeddings', domain, count(*) FROM intent_embeddings GROUP BY domain
UNION ALL SELECT 'deduped_pool', domain, count(*) FROM deduped_pool GROUP BY domain
UNION ALL SELECT 'diversity_report', domain, count(*) FROM diversity_report GROUP BY domain
UNION ALL SELECT 'simulated_dialogues', domain, count(*) FROM simulated_dialogues GROUP BY domain
UNION ALL SELECT 'executed_traces', domain, count(*) FROM executed_traces GROUP BY domain
UNION ALL SELECT 'sft_split', domain, count(*) FROM sft_split GROUP BY domain;
