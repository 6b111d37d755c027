"""The targets, with a few hundred inputs each. `python -m tests.fuzz` runs them for longer."""

from tests.fuzz.targets import *  # noqa: F403
