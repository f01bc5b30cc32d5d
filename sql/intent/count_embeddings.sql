SELECT count(*) FROM intent_embeddings WHERE domain = $domain AND model = $model;
