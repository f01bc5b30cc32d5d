SELECT name, count(*) AS calls
FROM tool_calls
WHERE dialogue_id IN (SELECT dialogue_id FROM sft_split)
GROUP BY name
ORDER BY calls DESC, name;
