"""The scripted teacher: a litellm provider that plays the catalogue's scenarios, with no key and no network."""
