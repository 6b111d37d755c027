"""The language of a response: the reader's, else the site's default language."""

from django.conf import settings
from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.translation.trans_real import parse_accept_lang_header

from chat.branding import loader


class BrandedLocaleMiddleware(LocaleMiddleware):
    """Django's middleware, with a default language that can be changed in the admin.

    It runs before everything that uses the branding, so it also loads the branding.
    """

    def process_request(self, request: HttpRequest) -> None:
        """Activate the language, and load the branding again if that is due."""
        loader.refresh()
        super().process_request(request)
        default = loader.current().language
        if default != settings.LANGUAGE_CODE and not _asks_for_language(request):
            translation.activate(default)
            request.LANGUAGE_CODE = translation.get_language()


def _asks_for_language(request: HttpRequest) -> bool:
    """Return whether the visitor chose a language, or the browser asks for one that there is."""
    header = request.headers.get("Accept-Language", "")
    wanted = [request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")]
    wanted += [code for code, __ in parse_accept_lang_header(header)]
    return any(map(_is_supported, wanted))


def _is_supported(code: str) -> bool:
    try:
        return bool(translation.get_supported_language_variant(code))
    except LookupError:
        return False
