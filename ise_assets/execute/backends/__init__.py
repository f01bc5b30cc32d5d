"""Ways to isolate a workspace, one file each; `workspace.open_backend` picks one by name."""
