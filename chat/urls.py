"""Everything people and programs reach over HTTP."""

from django.urls import include, path
from django.views.i18n import JavaScriptCatalog

from chat.api import api
from chat.apidocs.reference import websocket_page
from chat.views import page

urlpatterns = [
    path("", page, name="page"),
    path("language/", include("django.conf.urls.i18n")),
    path("words.js", JavaScriptCatalog.as_view(packages=["chat"]), name="javascript-catalog"),
    path("docs/websocket", websocket_page, name="websocket-page"),
    path("", api.urls),
]
