SELECT metric, n, value, (detail ->> '$.ise')::DOUBLE AS ise
FROM pool_diversity
WHERE metric IN ('vendi_curve', 'distinct_2', 'neighbour_p95')
ORDER BY metric DESC, n;
