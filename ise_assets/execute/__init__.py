"""Stage E: isolated workspaces, the tools that run in them, and the evidence that a session is what it says."""
