"""Stage S: a role-locked user and an agent talk while the agent works in a live workspace."""
