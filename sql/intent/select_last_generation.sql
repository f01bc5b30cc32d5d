SELECT coalesce(max(generation), 0) FROM intent_embeddings;
