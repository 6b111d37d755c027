"""Whether a process of this host is running."""

import os


def is_running(pid: int) -> bool:
    """Return whether a process with this number exists, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
