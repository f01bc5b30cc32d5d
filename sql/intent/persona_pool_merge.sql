INSERT INTO persona_pool BY NAME
SELECT * FROM incoming
WHERE id NOT IN (SELECT id FROM persona_pool);
