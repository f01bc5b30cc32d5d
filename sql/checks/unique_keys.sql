-- {table} and {keys} are quoted identifiers; the tables have no PRIMARY KEY, so this is what holds the keys
SELECT coalesce(sum(n), 0)::BIGINT AS total, count(*) AS keys, count(*) FILTER (n > 1) AS repeated,
    (arg_max(key, n) FILTER (n > 1))::VARCHAR AS example
FROM (SELECT ({keys}) AS key, count(*) AS n FROM {table} WHERE {scope} GROUP BY ALL);
