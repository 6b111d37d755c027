"""What every answer of this site carries."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

STORABLE = ("/static/",)


def no_store(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Keep answers about sessions out of every cache."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not request.path.startswith(STORABLE):
            response["Cache-Control"] = "no-store"
        return response

    return answer
