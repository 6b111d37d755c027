"""Everything people and programs reach over HTTP."""

from django.urls import include, path
from django.views.i18n import JavaScriptCatalog

from chat.api import api
from chat.health import healthz, readyz
from chat.scrape import metrics
from chat.views import page

urlpatterns = [
    path("", page, name="page"),
    path("language/", include("django.conf.urls.i18n")),
    path("words.js", JavaScriptCatalog.as_view(packages=["chat"]), name="javascript-catalog"),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
    path("", api.urls),
]
