"""The server between the web processes and the workers."""
