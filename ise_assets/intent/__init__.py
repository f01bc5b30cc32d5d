"""Stage I: persona lists and the task catalogue become a pool of diverse, seeded, checkable intents."""
