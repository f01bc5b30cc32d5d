DELETE FROM diversity_report WHERE domain = $domain;
