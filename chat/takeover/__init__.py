"""An operator who answers a session instead of the model: their frames, rights and replies."""
