SELECT value FROM pool_diversity WHERE metric = 'vendi_curve' AND n = $n;
