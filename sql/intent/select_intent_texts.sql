SELECT id, utterance FROM intent_pool;
