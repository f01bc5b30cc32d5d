SELECT messages
FROM simulated_dialogues
WHERE domain = $domain
ORDER BY accepted_live DESC, status = 'error', written_at DESC, id
LIMIT 1;
