"""The chat: sessions, messages, replies, and everything a person or client touches."""
