"""Text generation: one interface for every text-generation server."""
