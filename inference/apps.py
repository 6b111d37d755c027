"""The Django app, so that the model's management commands are found."""

from django.apps import AppConfig


class InferenceConfig(AppConfig):
    """Text generation over HTTP; it has no models and no views."""

    name = "inference"
