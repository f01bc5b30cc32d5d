SELECT text_sha256, arg_min(vector, generation) AS vector, arg_min(spec_hash, generation) AS spec_hash
FROM intent_embeddings
WHERE model = ? AND text_sha256 IN (SELECT unnest(?::VARCHAR[]))
GROUP BY text_sha256;
