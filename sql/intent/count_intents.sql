SELECT complexity, count(*) AS n FROM intent_pool WHERE domain = ? GROUP BY complexity ORDER BY complexity;
