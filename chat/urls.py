"""Everything people and programs reach over HTTP."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
