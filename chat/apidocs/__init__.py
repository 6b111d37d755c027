"""The descriptions of the HTTP and WebSocket APIs, generated from the code."""
