DELETE FROM decontamination WHERE domain = $domain;
