"""The project's settings for a test run, independent of the developer's environment.

They are set in the environment, so that processes started by tests inherit them. `TEST_REDIS_URL`
names a Redis to use instead of the embedded one; the tests use its database 0.
"""

import atexit
import os
import re
import shutil
import tempfile
from pathlib import Path

from tests.ports import free_port

ENV_EXAMPLE = Path(__file__).parent.parent / ".env.example"
VARIABLES = frozenset(re.findall(r"^#([A-Z_]+)=", ENV_EXAMPLE.read_text(), re.MULTILINE))

for variable in VARIABLES:
    os.environ.pop(variable, None)
os.environ["ENV_FILE"] = os.devnull
os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="chat-tests-")
os.environ["PORT"] = str(free_port())
os.environ["MODEL_URL"] = (
    "http://127.0.0.1:9/"  # unreachable: tests that need a model set their own
)
if redis_url := os.environ.get("TEST_REDIS_URL"):
    os.environ["REDIS_URL"] = redis_url
else:
    os.environ["EMBEDDED_REDIS_PORT"] = str(free_port())
atexit.register(shutil.rmtree, os.environ["DATA_DIR"], ignore_errors=True)

from chatproject.settings import *  # noqa: E402, F403
