"""The Dagster shell: thin, one folder a stage, the same names as the pure core's."""
