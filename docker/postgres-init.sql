-- beside Dagster's own database: the lake's catalog
CREATE DATABASE lake;
