"""The URLs of the page, the HTTP API and the documentation pages."""

from django.urls import include, path

from chat.api import api
from chat.apidocs.reference import websocket_page
from chat.branding import routes as branding
from chat.views import catalogue, page

urlpatterns = [
    path("", page, name="page"),
    path("language/", include("django.conf.urls.i18n")),
    path("catalogue/<language>/<digest>.js", catalogue, name="catalogue"),
    path("branding/<slug:accent>-<slug:accent_dark>.css", branding.colours, name="colours"),
    path("branding/logo/<digest>", branding.logo, name="logo"),
    path("docs/websocket", websocket_page, name="websocket-page"),
    path("", api.urls),
]
