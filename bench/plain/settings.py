"""The least settings with which Django, Channels and Celery start."""

import os

REDIS_URL = os.environ["REDIS_URL"]
MODEL_URL = os.environ["MODEL_URL"]
TASK = os.environ["TASK"]

SECRET_KEY = "not a secret: there are no sessions and no users"  # noqa: S105
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["channels"]
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": os.environ["CHANNEL_LAYER"],
        # The core layer blocks for 5 s, which is redis-py's default timeout: without a longer one,
        # a socket on which nothing happens fails after 6 s.
        "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": 15}]},
    }
}
