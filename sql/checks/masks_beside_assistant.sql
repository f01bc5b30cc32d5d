-- the mask is recomputed from the roles here, apart from the code that wrote it
SELECT id
FROM sft_split
WHERE domain = $domain
  AND (
    train_mask::INTEGER[] IS DISTINCT FROM list_transform(
        messages ->> '$[*].role', lambda role: CASE WHEN role = 'assistant' THEN 1 ELSE 0 END
    )
    OR NOT coalesce(list_contains(train_mask::INTEGER[], 1), false)
  )
ORDER BY id;
