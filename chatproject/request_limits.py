"""Limits of HTTP requests. It imports nothing: uvicorn loads its protocol before the settings."""

# Requests are small: a name, a token, or a form of the admin. nginx has the same limit.
MAX_BODY_BYTES = 64 * 1024
# From the first byte of a request until its last one.
REQUEST_TIMEOUT_S = 15.0
# From the end of the headers, where the application sees the body arrive.
BODY_TIMEOUT_S = 10.0
