-- {table} is a quoted identifier
SELECT count(*) AS total FROM {table} WHERE {scope};
