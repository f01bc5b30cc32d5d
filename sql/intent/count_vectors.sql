SELECT count(*) FROM intent_embeddings WHERE model = $model AND generation <= $until;
