SELECT DISTINCT source_sha256 FROM persona_lists;
