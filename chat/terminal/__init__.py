"""The chat in a terminal: a person's conversation, or lines through a pipe."""
