INSERT INTO persona_lists BY NAME
SELECT incoming.*
FROM incoming
ANTI JOIN persona_lists AS known
    ON incoming.persona_list = known.persona_list AND incoming.source_sha256 = known.source_sha256;
