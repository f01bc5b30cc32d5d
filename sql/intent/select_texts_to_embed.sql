SELECT id, utterance
FROM intent_pool AS intent
WHERE domain = $domain
  AND NOT EXISTS (
      SELECT 1 FROM intent_embeddings AS embedded
      WHERE embedded.intent_id = intent.id
        AND embedded.model = $model
        AND embedded.text_sha256 = sha256(intent.utterance)
  )
ORDER BY id;
