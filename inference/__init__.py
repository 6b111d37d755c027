"""Text in, text out: one small interface in front of every text-generation server."""
