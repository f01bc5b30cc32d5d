SELECT coalesce(max(generation), 0) FROM intent_embeddings WHERE $domain IS NULL OR domain = $domain;
