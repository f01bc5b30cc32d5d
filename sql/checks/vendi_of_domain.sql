SELECT n, value FROM diversity_report WHERE domain = $domain AND metric = $metric ORDER BY n DESC LIMIT 1;
