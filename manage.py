#!/usr/bin/env python
"""Django's command-line entry point for this project."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")
    from django import get_version
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from chatproject import VERSION

    if sys.argv[1:] in (["version"], ["--version"]):
        # Django's own command prints only the second of these.
        sys.stdout.write(f"chat {VERSION} (Django {get_version()})\n")
        return
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # The message names the variable; a traceback would only hide it.
        sys.exit(str(error))


if __name__ == "__main__":
    main()
