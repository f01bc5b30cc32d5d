SELECT split, count(*) AS records FROM sft_split GROUP BY split ORDER BY split;
