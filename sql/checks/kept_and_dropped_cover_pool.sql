WITH kept AS (SELECT intent_id FROM deduped_pool WHERE domain = $domain),
dropped AS (SELECT intent_id FROM dropped_duplicates WHERE domain = $domain),
pool AS (SELECT id FROM intent_pool WHERE domain = $domain)
SELECT
    (SELECT count(*) FROM pool) AS pool,
    (SELECT count(*) FROM kept) AS kept,
    (SELECT count(*) FROM dropped) AS dropped,
    (SELECT count(*) FROM pool
     WHERE id NOT IN (SELECT intent_id FROM kept) AND id NOT IN (SELECT intent_id FROM dropped)) AS undecided,
    (SELECT count(*) FROM kept WHERE intent_id IN (SELECT intent_id FROM dropped)) AS both,
    (SELECT count(*) FROM (FROM kept UNION FROM dropped) WHERE intent_id NOT IN (SELECT id FROM pool)) AS strangers;
