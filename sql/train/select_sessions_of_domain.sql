SELECT id FROM simulated_dialogues WHERE domain = $domain;
