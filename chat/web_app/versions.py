"""Generated files whose URL contains a digest of their content, so that browsers keep them."""

import hashlib
from typing import cast

from django.http import HttpRequest, HttpResponse
from django.middleware.gzip import GZipMiddleware

from chat.middleware import DO_NOT_KEEP, KEEP_FOREVER

# Not for all responses: a compressed length reveals a secret next to what an attacker chose
# (BREACH). The page shows nothing that a URL contains, and Django masks its CSRF token.
COMPRESSION = GZipMiddleware(lambda request: HttpResponse())


def digest_of(content: bytes) -> str:
    """Return the digest for the URL of a content."""
    return hashlib.sha256(content).hexdigest()[:16]


def respond_with_version(
    request: HttpRequest, content: bytes, digest: str, content_type: str
) -> HttpResponse:
    """Return a content, which browsers keep for ever if `digest`, from the URL, is its own."""
    response = HttpResponse(content, content_type=content_type)
    response["Cache-Control"] = KEEP_FOREVER if digest == digest_of(content) else DO_NOT_KEEP
    return cast(HttpResponse, COMPRESSION.process_response(request, response))
