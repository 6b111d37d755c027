"""A visitor chooses a model where there are several, and sees which one replied."""

from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.frames import bot, human, ready
from tests.browser.visitor import NewVisitor, ScriptedServer, ScriptedVisitor
from tests.processes import wait_for

MODELS = [{"name": "fast", "label": "Fast and short"}, {"name": "gpt-j", "label": "GPT-J"}]


class Server(ScriptedServer):
    """A server with several models."""

    models: list[dict[str, str]] = MODELS

    def send(self, *frames: dict[str, Any]) -> None:
        with_models = {"models": self.models}
        super().send(
            *(each | with_models if each["type"] == "session.ready" else each for each in frames)
        )


class VisitorOfModels(ScriptedVisitor):
    """A tab whose server has several models."""

    server: Server

    def __init__(self, page: Page, site: str) -> None:
        super().__init__(page, site)
        self.server = Server(page)
        self.network = self.server


def open_page(new_visitor: NewVisitor, **options: Any) -> VisitorOfModels:
    visitor = new_visitor(kind=VisitorOfModels, **options)
    assert isinstance(visitor, VisitorOfModels)
    return visitor


def sent_model(visitor: VisitorOfModels, text: str) -> object:
    """Send a message and return the model that it was sent for."""
    count = len(visitor.server.received)
    visitor.composer.fill(text)
    visitor.page.keyboard.press("Enter")
    wait_for(lambda: len(visitor.server.received) > count, "the message")
    frame = visitor.server.received[-1]
    assert (frame["type"], frame["msg"]) == ("message.send", text)
    return frame.get("model")


def test_the_chosen_model_is_sent_and_kept(new_visitor: NewVisitor) -> None:
    visitor = open_page(new_visitor)
    visitor.start()
    picker = visitor.page.get_by_role("combobox", name="Model")
    expect(picker).to_have_value("fast")
    assert sent_model(visitor, "hello") is None

    picker.select_option("GPT-J")
    assert sent_model(visitor, "again") == "gpt-j"
    visitor.page.reload()
    expect(picker).to_have_value("gpt-j")
    assert sent_model(visitor, "after a reload") == "gpt-j"

    # The operator removed it.
    visitor.server.models = [MODELS[0], {"name": "new", "label": "New"}]
    visitor.server.send(ready([]))
    expect(picker).to_have_value("fast")
    assert sent_model(visitor, "removed") is None


def test_a_reply_names_its_model(new_visitor: NewVisitor) -> None:
    visitor = open_page(new_visitor)
    visitor.server.messages = [human(1, "hi"), bot(2, 1, "hello") | {"model": "gpt-j"}]
    visitor.start()
    expect(visitor.page.locator(".bot .turn-footer")).to_contain_text("GPT-J")


def test_with_one_model_nothing_is_shown_or_loaded(new_visitor: NewVisitor) -> None:
    visitor = open_page(new_visitor)
    visitor.server.models = []
    requested: list[str] = []
    visitor.page.on("request", lambda request: requested.append(request.url))
    visitor.server.messages = [human(1, "hi"), bot(2, 1, "hello")]
    visitor.start()
    expect(visitor.page.locator(".bot")).to_contain_text("hello")
    assert visitor.page.get_by_role("combobox").count() == 0
    assert not [url for url in requested if "model_picker" in url]
    assert sent_model(visitor, "hello") is None


def test_a_model_that_is_gone_is_explained(new_visitor: NewVisitor) -> None:
    visitor = open_page(new_visitor)
    visitor.start()
    assert sent_model(visitor, "hello") is None
    message = visitor.server.received[-1]["id"]
    visitor.server.send(
        {"type": "error", "code": "message.unknown_model", "detail": "No", "ref": message}
    )
    expect(visitor.page.locator(".turn .error")).to_contain_text("no longer available")
