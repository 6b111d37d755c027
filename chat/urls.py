"""Everything people and programs reach over HTTP."""

from django.urls import path

from chat.api import api
from chat.health import healthz, readyz

urlpatterns = [
    path("healthz", healthz),
    path("readyz", readyz),
    path("", api.urls),
]
