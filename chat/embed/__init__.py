"""The chat on other websites."""
