-- of the whole pool where it has been measured, then of each domain at its full size
SELECT metric, n, value, (detail ->> '$.ise')::DOUBLE AS ise, '' AS domain
FROM pool_diversity
WHERE metric IN ('vendi_curve', 'distinct_2', 'neighbour_p95')
UNION ALL
SELECT metric, max(n), arg_max(value, n), NULL, domain
FROM diversity_report
WHERE metric = 'vendi'
GROUP BY metric, domain
ORDER BY domain, metric DESC, n;
