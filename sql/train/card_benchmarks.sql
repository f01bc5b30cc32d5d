SELECT provenance -> '$.decontaminated_against' AS benchmarks, count(*) AS records
FROM sft_split
GROUP BY ALL
ORDER BY records DESC, benchmarks;
