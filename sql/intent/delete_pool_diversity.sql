DELETE FROM pool_diversity;
