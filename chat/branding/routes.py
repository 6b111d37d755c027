"""The files of the branding: style sheet and logo. Their URLs change with their content."""

from django.http import Http404, HttpRequest, HttpResponse

from chat.branding import loader
from chat.branding.colours import check_accent, check_accent_dark, palette
from chat.middleware import DO_NOT_KEEP, KEEP_FOREVER

# For somebody who opens an SVG image as a page: no scripts, no requests, no origin.
IMAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


def colours(request: HttpRequest, accent: str, accent_dark: str) -> HttpResponse:
    """Return the style sheet for two accent colours; any two that are readable have one."""
    try:
        check_accent(f"#{accent}")
        check_accent_dark(f"#{accent_dark}")
    except ValueError as error:
        raise Http404 from error
    found = palette(f"#{accent}", f"#{accent_dark}")
    response = HttpResponse(found and found.stylesheet, content_type="text/css; charset=utf-8")
    response["Cache-Control"] = KEEP_FOREVER
    response["Access-Control-Allow-Origin"] = "*"  # a shared page has no origin
    return response


def logo(request: HttpRequest, digest: str) -> HttpResponse:
    """Return the logo."""
    image = loader.current().logo
    if image is None:
        raise Http404
    response = HttpResponse(image.content, content_type=image.content_type)
    response["Cache-Control"] = KEEP_FOREVER if digest == image.digest else DO_NOT_KEEP
    response["Content-Security-Policy"] = IMAGE_POLICY
    response["X-Content-Type-Options"] = "nosniff"
    return response
