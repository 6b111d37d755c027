"""The URLs of the page, the HTTP API and the documentation pages."""

from django.urls import include, path

from chat.api import api
from chat.apidocs.reference import websocket_page
from chat.branding import routes as branding
from chat.embed.script import embed_script
from chat.views import catalogue, embedded_page, page, shared_page
from chat.web_app.manifest import manifest
from chat.web_app.offline import offline_page, service_worker

urlpatterns = [
    path("", page, name="page"),
    path("embed", embedded_page, name="embed"),
    path("embed.js", embed_script, name="embed-script"),
    path("language/", include("django.conf.urls.i18n")),
    path("catalogue/<language>/<digest>.js", catalogue, name="catalogue"),
    path("manifest/<language>/<digest>.webmanifest", manifest, name="manifest"),
    path("service-worker.js", service_worker, name="service-worker"),
    path("offline/<language>/<digest>", offline_page, name="offline"),
    path("branding/<slug:accent>-<slug:accent_dark>.css", branding.colours, name="colours"),
    path("branding/logo/<digest>", branding.logo, name="logo"),
    path("docs/websocket", websocket_page, name="websocket-page"),
    path("", api.urls),
    path("s/<secret>", shared_page, name="shared-page"),
]
