"""The public JavaScript client, in a browser, on a network that cuts connections."""

import random
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.acceptance.dropping_proxy import DroppingProxy
from tests.client import create_session, history
from tests.model_stub import Behaviour, ModelStub
from tests.processes import ROOT, Stack

CONVERSATION = """({ url, token, texts }) => new Promise(async (done) => {
  const { ChatClient } = await import("/static/chat/client.js");
  const received = new Map();
  const phases = [];
  const client = new ChatClient({
    url, token,
    onConnection: ({ phase }) => phases.push(phase),
    onFrame: (frame) => {
      const messages = frame.messages ?? (frame.message ? [frame.message] : []);
      for (const message of messages) received.set(message.seq, message);
      const replies = [...received.values()].filter(({ source }) => source === "bot");
      if (replies.length < texts.length) return;
      client.close();
      done({ messages: [...received.values()].sort((one, other) => one.seq - other.seq), phases });
    },
  });
  client.open();
  texts.forEach((text) => client.send(text));
})"""


def test_published_client_is_the_pages_own_short_file() -> None:
    published = Path(ROOT, "docs", "clients", "chat_client.js")
    assert published.resolve() == Path(ROOT, "chat", "static", "chat", "client.js")
    text = published.read_text()
    assert len(text.splitlines()) <= 260
    assert "document." not in text


@pytest.mark.slow
def test_cut_connections_lose_and_duplicate_nothing(
    chromium: Browser, stack: Stack, model_stub: ModelStub
) -> None:
    model_stub.always(Behaviour(pieces=tuple(f" {n}" for n in range(60)), piece_delay_s=0.02))
    token = create_session(stack.url)
    cuts = random.Random(11)
    with DroppingProxy(int(stack.environment["PORT"])) as proxy:
        page = chromium.new_page()
        page.set_default_timeout(60_000)
        page.goto(f"http://127.0.0.1:{proxy.port}/docs/websocket")
        page.evaluate("""() => import("/static/chat/client.js")""")
        proxy.drop_after = iter([cuts.randint(600, 1100) for _ in range(6)])
        result: dict[str, Any] = page.evaluate(
            CONVERSATION,
            {
                "url": f"ws://127.0.0.1:{proxy.port}/chat",
                "token": token,
                "texts": ["one", "two", "three"],
            },
        )
        page.close()

    assert result["phases"].count("waiting") >= 2
    stored = history(stack.url, token)
    assert [message["id"] for message in result["messages"]] == [
        message["id"] for message in stored
    ]
    assert len(stored) == 6
