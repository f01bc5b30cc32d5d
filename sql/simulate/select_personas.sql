SELECT
    id, name, role, industry, expertise, experience_level, communication_style, work_context, persona_list
FROM persona_pool
WHERE id IN (SELECT unnest($ids::VARCHAR[]));
