-- the domain's own intents against those of all domains; case and runs of blanks do not make two utterances different
WITH spoken AS (
    SELECT id, domain, utterance, lower(trim(regexp_replace(utterance, '\s+', ' ', 'g'))) AS said
    FROM intent_pool
    WHERE NOT $kept_only OR id IN (SELECT intent_id FROM deduped_pool)
)
SELECT min(utterance) AS utterance, count(*) AS intents
FROM spoken
GROUP BY said
HAVING count(*) > 1 AND count(*) FILTER (domain = $domain) > 0
ORDER BY intents DESC, utterance;
