"""Patches of daphne that no test of a whole process reaches for certain."""

import subprocess
import sys

# In a process of its own: the patches change daphne's classes.
SEND = """
import daphne.server
from chatproject import daphne_patches
daphne_patches.apply()
from daphne.ws_protocol import WebSocketProtocol

protocol = WebSocketProtocol()
for state in (protocol.STATE_CLOSED, protocol.STATE_CLOSING):
    protocol.state = state
    protocol.handle_reply({"type": "websocket.send", "text": "late"})
"""


def test_a_frame_for_a_client_that_has_left_is_dropped() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", SEND], check=True, timeout=60)
