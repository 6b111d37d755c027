"""One reply: its lease, its prompt, its text, its outcome."""
