"""Questions are edited, replies continued, and earlier versions of both chosen, for every tab."""

import asyncio
from collections.abc import Sequence
from functools import partial
from uuid import uuid4

from tests.acceptance.conftest import Tabs
from tests.acceptance.sockets import connect_plain
from tests.client import Client, history
from tests.client_view import Frame
from tests.model_stub import Behaviour, ModelStub
from tests.processes import Stack

LETTERS = Behaviour(pieces=("Once", " upon"), finish_reason="length")


async def ask(client: Client, text: str, **fields: str) -> Frame:
    """Send a message and return the reply to it."""
    id_ = str(uuid4())
    await client.send("message.send", id=id_, msg=text, **fields)
    return await client.wait_for_reply(id_)


def shown(client: Client) -> list[str]:
    """Return the texts that a client shows."""
    messages = (message for _, message in sorted(client.view.messages.items()))
    return [message["msg"] for message in messages if "replaced_by" not in message]


async def wait_until_all_show(clients: Sequence[Client], texts: list[str]) -> None:
    for client in clients:
        await client.wait_until(partial(is_shown, client, texts), f"{texts}")


def is_shown(client: Client, texts: list[str]) -> bool:
    return shown(client) == texts


def last_prompt(model_stub: ModelStub) -> str:
    return str(model_stub.requests[-1].payload["inputs"])


async def test_an_edited_question_is_answered_instead_of_the_old_one(
    tabs: Tabs, stack: Stack, model_stub: ModelStub
) -> None:
    ada, other, absent = await tabs(3)
    question = (await ask(ada, "one"))["reply_to"]
    await ask(ada, "two")
    await absent.wait_for_frame("reply.completed", seq=4)
    await absent.drop()

    await ask(other, "three", replaces=question)

    await absent.connect()
    late = Client(ada.ws_url, ada.token)
    async with late:
        await wait_until_all_show([ada, other, absent, late], ["three", "You said: three"])
        assert late.view.shown() == ada.view.shown() == absent.view.shown()
    assert last_prompt(model_stub) == "Human: three\nBot:"
    http = history(stack.url, ada.token)
    assert [message["msg"] for message in http] == ["Human: three", "Bot: You said: three"]
    assert http[0]["replaces"] == question
    await ask(ada, "four")
    assert last_prompt(model_stub) == "Human: three\nBot: You said: three\nHuman: four\nBot:"


async def test_a_question_whose_reply_is_in_progress_is_edited_after_a_stop(
    tabs: Tabs, model_stub: ModelStub
) -> None:
    (ada,) = await tabs()
    model_stub.script(Behaviour(hang_after=1))
    question = await ada.send_message("one")
    await ada.wait_for_frame("reply.delta")
    edit = {"id": str(uuid4()), "msg": "two", "replaces": question}

    await ada.send("message.send", **edit)
    refusal = await ada.wait_for_frame("error")
    assert (refusal["code"], refusal["ref"]) == ("session.busy", edit["id"])
    await ada.send("reply.stop", reply_to=question)
    await ada.wait_for_frame("reply.completed")
    for _ in range(2):
        await ada.send("message.send", **edit)

    await wait_until_all_show([ada], ["two", "You said: two"])
    await ada.send("message.send", **edit | {"id": str(uuid4())})
    assert (await ada.wait_for_frame("error", code="message.invalid"))["ref"]


async def test_a_version_that_was_chosen_is_current_for_every_tab(
    tabs: Tabs, model_stub: ModelStub, stack: Stack
) -> None:
    ada, other, absent = await tabs(3)
    old = await ask(ada, "one")
    question = old["reply_to"]
    edited = await ask(ada, "two", replaces=question)
    await absent.wait_for_frame("reply.completed", seq=4)
    await absent.drop()

    await other.send("version.load", id=question)
    version = await other.wait_for_frame("session.version", id=question)
    texts = [message["msg"] for message in version["messages"]]
    assert (texts, version["has_more"]) == (["one", "You said: one"], False)
    request = {"id": str(uuid4()), "version": question}
    for _ in range(2):
        await other.send("version.choose", **request)
    await absent.connect()
    await wait_until_all_show([ada, other, absent], ["one", "You said: one"])
    copy = ada.view.reply_to(ada.view.messages[5]["id"])
    assert copy
    assert (copy["version_of"], ada.view.last_seq) == (old["id"], 6)

    await ask(other, "three")
    assert last_prompt(model_stub) == "Human: one\nBot: You said: one\nHuman: three\nBot:"
    await ada.send("version.choose", id=str(uuid4()), version=edited["reply_to"])
    await wait_until_all_show([ada, other, absent], ["two", "You said: two"])
    http = [message["msg"] for message in history(stack.url, ada.token)]
    assert http == ["Human: two", "Bot: You said: two"]


async def test_a_reply_that_was_cut_off_is_continued(
    tabs: Tabs, stack: Stack, model_stub: ModelStub
) -> None:
    ada, other = await tabs(2)
    model_stub.script(LETTERS, Behaviour(pieces=(" a", " time"), piece_delay_s=0.1))
    cut_off = await ask(ada, "a story")
    assert cut_off["finish_reason"] == "length"

    await other.send("reply.continue", reply_to=cut_off["reply_to"])

    await wait_until_all_show([ada, other], ["a story", "Once upon a time"])
    longer = await ada.wait_for_reply(cut_off["reply_to"])
    assert (longer["replaces"], longer["continues"]) == (cut_off["id"], cut_off["id"])
    first = await ada.wait_for_frame("reply.delta", id=longer["id"])
    assert (first["offset"], first["text"]) == (0, "Once upon")
    assert last_prompt(model_stub) == "Human: a story\nBot: Once upon"
    await ada.send("reply.continue", reply_to=cut_off["reply_to"])
    assert (await ada.wait_for_frame("error"))["code"] == "message.invalid"


async def test_a_plain_client_gets_every_new_reply_and_no_copy(
    tabs: Tabs, stack: Stack, model_stub: ModelStub
) -> None:
    (ada,) = await tabs()
    model_stub.script(LETTERS, Behaviour(text=" a time"), Behaviour(text="other"))

    def receive() -> str:
        return str(plain.receive()["msg"])

    with connect_plain(stack, ada.token) as plain:
        question = (await ask(ada, "one"))["reply_to"]
        await ada.send("reply.continue", reply_to=question)
        await ada.wait_for_frame("reply.completed", seq=3)
        await ask(ada, "two", replaces=question)
        await ada.send("version.choose", id=str(uuid4()), version=question)
        await wait_until_all_show([ada], ["one", "Once upon a time"])
        await ask(ada, "three")

        texts = [await asyncio.to_thread(receive) for _ in range(4)]

    assert texts == ["Once upon", "Once upon a time", "other", "You said: three"]
