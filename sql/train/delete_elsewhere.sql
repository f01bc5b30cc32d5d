-- what find_elsewhere finds
DELETE FROM sft_split
WHERE domain <> $domain AND id NOT IN (SELECT unnest($ids::VARCHAR[]));
