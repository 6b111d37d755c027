"""The Django app, which makes the management command `runmodel` available."""

from django.apps import AppConfig


class InferenceConfig(AppConfig):
    """Text generation over HTTP; it has no models and no views."""

    name = "inference"
