SELECT name, role, industry, expertise, experience_level, communication_style, work_context, persona_list
FROM persona_pool
ORDER BY id;
