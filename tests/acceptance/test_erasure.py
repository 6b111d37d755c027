"""What a visitor deletes leaves the disk of the server."""

import asyncio
from pathlib import Path

import redis
import requests

from tests.acceptance.conftest import Tabs
from tests.conftest import NewStack
from tests.model_stub import Behaviour, ModelStub
from tests.processes import Stack, wait_for

TEXT = "my diary, which is nobody else's business"
REPLY = "a reply that quotes the diary"


def files_with(site: Stack, text: str) -> list[str]:
    """Return the names of the files in DATA_DIR that contain a text."""
    folder = Path(site.environment["DATA_DIR"])
    return [
        file.name
        for file in folder.rglob("*")
        if file.is_file() and text.encode() in file.read_bytes()
    ]


def delete(site: Stack, token: str) -> None:
    response = requests.delete(f"{site.url}/token", params={"token": token}, timeout=10)
    assert response.status_code == 204


async def test_a_deleted_conversation_is_in_no_file(
    new_stack: NewStack, tabs: Tabs, model_stub: ModelStub
) -> None:
    model_stub.always(Behaviour(pieces=(REPLY,)))
    site = new_stack(AOF_REWRITE_INTERVAL_S="1")
    await asyncio.to_thread(site.start)
    with redis.Redis.from_url(site.redis_url) as client:
        client.config_set("rdbcompression", "no")  # it would hide texts from the search
    (ada,) = await tabs(site=site)
    message = await ada.send_message(TEXT)
    await ada.wait_for_reply(message)
    wait_for(lambda: files_with(site, TEXT), "Redis to append the message")
    assert files_with(site, REPLY)

    await asyncio.to_thread(delete, site, ada.token)

    def is_erased() -> bool:
        return not files_with(site, TEXT) and not files_with(site, REPLY)

    await asyncio.to_thread(wait_for, is_erased, "the rewrite", 30)
