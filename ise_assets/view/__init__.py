"""The session viewer: a small, read-only web page over the warehouse."""
