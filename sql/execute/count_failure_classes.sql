SELECT failure_class, count(*) AS n
FROM tool_calls
WHERE domain = $domain AND failure_class IS NOT NULL
GROUP BY failure_class
ORDER BY n DESC, failure_class;
