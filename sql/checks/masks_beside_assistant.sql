-- the mask is recomputed from the roles here, apart from the code that wrote it; what a policy leaves out, provenance lists
SELECT id
FROM sft_split
WHERE domain = $domain
  AND (
    train_mask::INTEGER[] IS DISTINCT FROM list_transform(
        messages ->> '$[*].role',
        lambda role, place: CASE
            WHEN role = 'assistant'
                AND NOT coalesce(list_contains((provenance -> '$.untrained')::INTEGER[], place::INTEGER - 1), false) THEN 1
            ELSE 0
        END
    )
    OR NOT coalesce(list_contains(train_mask::INTEGER[], 1), false)
  )
ORDER BY id;
