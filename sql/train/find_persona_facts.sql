SELECT id, name, role, industry, persona_list, source_sha256, run_id, written_at FROM persona_pool WHERE id = $persona;
