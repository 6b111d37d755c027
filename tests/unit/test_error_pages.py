"""Pages for errors of the site, in the reader's language."""

from django.test import Client, RequestFactory
from django.utils import translation
from django.views.defaults import server_error


def test_an_unknown_address_leads_back_to_the_chat() -> None:
    response = Client().get("/nothing-here", headers={"accept-language": "de"})

    page = response.content.decode()
    assert response.status_code == 404
    assert "<h1>Seite nicht gefunden</h1>" in page
    assert '<a class="button" href="/">' in page
    assert "nothing-here" not in page


def test_an_error_of_the_server_has_a_page() -> None:
    with translation.override("en"):
        response = server_error(RequestFactory().get("/"))

    assert response.status_code == 500
    assert b"<h1>Something went wrong</h1>" in response.content
