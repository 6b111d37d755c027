"""The way from a worker or a request to sockets and workers."""
