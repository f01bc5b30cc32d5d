SELECT
    (SELECT count(*) FROM deduped_pool WHERE domain = $domain) AS kept,
    (SELECT count(*) FROM dropped_duplicates WHERE domain = $domain) AS dropped,
    (SELECT count(*) FROM dropped_duplicates WHERE domain = $domain AND method = 'exact') AS dropped_exact,
    (SELECT count(*) FROM dropped_duplicates WHERE domain = $domain AND method = 'semantic') AS dropped_semantic;
