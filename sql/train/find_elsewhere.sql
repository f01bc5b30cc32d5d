-- records of other domains that the present selection does not keep (a leak into what came later, a cap, another policy)
SELECT dialogue_id, domain FROM sft_split
WHERE domain <> $domain AND id NOT IN (SELECT unnest($ids::VARCHAR[]));
