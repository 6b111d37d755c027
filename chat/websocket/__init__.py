"""One WebSocket: handshake, codec, what its frames do, and how its client is kept up to date."""
