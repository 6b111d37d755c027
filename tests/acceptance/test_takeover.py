"""A person steps into a conversation: both sides' frames, and what if the person is lost."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from tests.acceptance.sockets import connect_plain
from tests.client import Client, create_session, history
from tests.model_stub import Behaviour, ModelStub
from tests.operator_client import OperatorClient, operator_url
from tests.operator_user import operator_cookie
from tests.processes import Process, Stack

Enter = Callable[..., Awaitable[tuple[Client, OperatorClient]]]
SLOW = Behaviour(pieces=tuple(f"word{n} " for n in range(40)), piece_delay_s=0.1)


@pytest.fixture(scope="module")
def support_web(shared_stack: Stack) -> Process:
    """A web process on which visitors can ask for a person."""
    return shared_stack.start_web(HUMAN_SUPPORT="True")


@pytest.fixture(scope="module")
def cookie(shared_stack: Stack) -> str:
    """The Cookie header of an operator who is logged in."""
    return operator_cookie(shared_stack)


@pytest.fixture
def ws_url(stack: Stack, support_web: Process) -> str:
    return f"ws://127.0.0.1:{support_web.port}/chat"


@pytest.fixture
async def enter(stack: Stack, ws_url: str, cookie: str) -> AsyncIterator[Enter]:
    """Open a visitor's socket and an operator's in the same session."""
    async with AsyncExitStack() as opened:
        clients: list[Client] = []

        async def both(token: str | None = None) -> tuple[Client, OperatorClient]:
            token = token or create_session(stack.url)
            visitor = await opened.enter_async_context(Client(ws_url, token))
            operator = await opened.enter_async_context(OperatorClient(ws_url, token, cookie))
            clients.extend((visitor, operator))
            return visitor, operator

        yield both
        assert [client.view.violations for client in clients] == [[] for _ in clients]


async def test_a_conversation_goes_to_a_person_and_back(
    enter: Enter, stack: Stack, model_stub: ModelStub
) -> None:
    visitor, operator = await enter()
    first = await visitor.send_message("I need a person")
    await visitor.wait_for_reply(first)

    await visitor.send("operator.request")
    asked = await visitor.wait_for_frame("operator.requested")
    assert (asked["requested"], asked["available"]) == (True, False)
    await operator.join()
    joined = await visitor.wait_for_frame("operator.joined")
    assert joined["name"] == "Grace"

    question = await visitor.send_message("Are you there?")
    await operator.wait_for_frame("message.accepted", id=question)
    await visitor.send("message.typing")
    await operator.wait_for_frame("message.typing")
    await operator.send("operator.types")
    await visitor.wait_for_frame("operator.typing", name="Grace")

    answer = str(uuid4())
    for text in ("Ye", "Yes, I", "No, sorry: I", "No, sorry: I am 👋 here"):
        await operator.send("operator.write", id=answer, reply_to=question, msg=text)
    await visitor.wait_until(lambda: visitor.view.text == "No, sorry: I am 👋 here")
    await operator.answer(question, "No, sorry: I am 👋 here.", answer)
    reply = await visitor.wait_for_reply(question)
    assert (reply["source"], reply["operator"], reply["id"]) == ("operator", "Grace", answer)

    await operator.answer(None, "One more thing.")
    said = await visitor.wait_for_frame("reply.completed", msg="One more thing.")
    assert said["message"]["reply_to"] is None

    await operator.send("operator.leave")
    await visitor.wait_for_frame("operator.left", name="Grace")
    last = await visitor.send_message("And now?")
    assert (await visitor.wait_for_reply(last))["source"] == "bot"

    prompt = model_stub.requests[-1].payload["inputs"]
    turns = "Bot: No, sorry: I am 👋 here.\n\nOne more thing.\nHuman: And now?\nBot:"
    assert prompt.replace("  ", "").endswith(turns), prompt
    assert [m["msg"] for m in history(stack.url, visitor.token) if m["source"] == "operator"] == [
        "Operator: No, sorry: I am 👋 here.",
        "Operator: One more thing.",
    ]


async def test_one_answer_to_several_messages_ends_them_all(enter: Enter) -> None:
    visitor, operator = await enter()
    await operator.join()
    sent = [await visitor.send_message(text) for text in ("Hello?", "I ask", "three times")]
    await operator.wait_for_frame("message.accepted", id=sent[-1])

    answer = await operator.answer(sent[-1], "One answer")
    again = await operator.answer(sent[-1], "One answer", answer["message"]["id"])

    replies = [await visitor.wait_for_reply(id) for id in sent]
    assert [reply["finish_reason"] for reply in replies] == [
        "answered_together",
        "answered_together",
        "stop",
    ]
    assert [reply["msg"] for reply in replies] == ["", "", "One answer"]
    assert again["message"]["seq"] == answer["message"]["seq"]
    assert visitor.view.last_seq == 6


async def test_the_model_answers_when_the_operators_page_is_lost(
    enter: Enter, model_stub: ModelStub
) -> None:
    visitor, operator = await enter()
    await operator.join()
    question = await visitor.send_message("Are you there?")
    await operator.wait_for_frame("message.accepted", id=question)
    await operator.send("operator.write", id=str(uuid4()), reply_to=question, msg="Let me s")
    await visitor.wait_until(lambda: visitor.view.text == "Let me s")

    operator.is_asleep = True
    await operator.drop()
    lost_at = time.monotonic()

    reply = await visitor.wait_for_reply(question)
    assert reply["source"] == "bot"
    assert time.monotonic() - lost_at < 15
    left = visitor.frames.index(await visitor.wait_for_frame("operator.left"))
    assert left > 0
    starts = [frame for frame in visitor.frames if frame["type"] == "reply.started"]
    assert reply["id"] != starts[0]["id"]


async def test_a_page_that_comes_back_in_time_goes_on(enter: Enter) -> None:
    visitor, operator = await enter()
    await operator.join()
    question = await visitor.send_message("Are you there?")
    await operator.wait_for_frame("message.accepted", id=question)
    answer = str(uuid4())
    await operator.send("operator.write", id=answer, reply_to=question, msg="Yes")
    await visitor.wait_until(lambda: visitor.view.text == "Yes")
    await operator.drop()
    await operator.connect()
    await operator.join(resume=True)

    await operator.send("operator.write", id=answer, reply_to=question, msg="Yes, I am")
    await visitor.wait_until(lambda: visitor.view.text == "Yes, I am")
    await operator.answer(question, "Yes, I am.", answer)
    assert (await visitor.wait_for_reply(question))["msg"] == "Yes, I am."
    assert [f["type"] for f in visitor.frames].count("operator.joined") == 1


@pytest.mark.slow
async def test_two_operators_do_not_answer_at_once(enter: Enter, stack: Stack, ws_url: str) -> None:
    visitor, first = await enter()
    await first.join()
    cookie = await asyncio.to_thread(operator_cookie, stack)
    async with OperatorClient(ws_url, visitor.token, cookie, "Alan") as second:
        await second.send("operator.join", claim=second.claim, name="Alan")
        refused = await second.wait_for_frame("operator.refused")
        assert refused["reason"] == "claimed"
        assert (await second.wait_for_frame("operator.claim", name="Grace"))["mine"] is False

        await second.join(replace=True)
        await first.wait_for_frame("operator.refused", reason="not_joined")
        await visitor.wait_for_frame("operator.joined", name="Alan")
        question = await visitor.send_message("Who is there?")
        await second.wait_for_frame("message.accepted", id=question)
        await first.send("operator.answer", id=str(uuid4()), reply_to=question, msg="Me!")
        await second.answer(question, "Alan is.")
        assert (await visitor.wait_for_reply(question))["operator"] == "Alan"


async def test_the_models_reply_is_finished_or_stopped_first(
    enter: Enter, model_stub: ModelStub
) -> None:
    model_stub.script(SLOW)
    visitor, operator = await enter()
    question = await visitor.send_message("Tell me a story")
    await visitor.wait_for_frame("reply.delta")
    await operator.join()
    await operator.send("operator.answer", id=str(uuid4()), reply_to=question, msg="Stop")
    await operator.wait_for_frame("operator.refused", reason="model_writes")
    await operator.send("reply.stop", reply_to=question)
    assert (await visitor.wait_for_reply(question))["finish_reason"] == "stop_requested"
    again = await visitor.send_message("And you?")
    await operator.wait_for_frame("message.accepted", id=again)
    await operator.answer(again, "I am a person.")


async def test_requests_are_shown_to_operators_on_duty(
    enter: Enter, ws_url: str, cookie: str
) -> None:
    visitor, operator = await enter()
    address = f"{ws_url.removesuffix('/chat')}/admin/operator-requests"
    headers = {"Cookie": cookie}
    async with connect(address, additional_headers=headers, proxy=None) as page:
        assert json.loads(await page.recv())["type"] == "operator.requests"
        await page.send("{}")
        while True:
            await visitor.send("operator.request")
            asked = await visitor.wait_for_frame("operator.requested", since=len(visitor.frames))
            if asked["available"]:
                break
        async with asyncio.timeout(20):
            while session_of(operator) not in (shown := await page.recv()):
                pass
        assert "Ada" in str(shown)
        await operator.join()
        async with asyncio.timeout(20):
            while session_of(operator) in str(await page.recv()):
                pass


def session_of(operator: OperatorClient) -> str:
    return operator.ws_url.rpartition("/")[2]


async def test_a_plain_client_receives_an_operators_answers(
    stack: Stack, ws_url: str, cookie: str
) -> None:
    token = create_session(stack.url)
    async with OperatorClient(ws_url, token, cookie) as operator:
        await operator.join()
        with connect_plain(stack, token) as plain:
            await asyncio.to_thread(plain.send, "Are you a person?")
            await operator.wait_until(lambda: operator.view.last_seq == 1)
            await operator.answer(operator.view.messages[1]["id"], "I am.")
            assert (await asyncio.to_thread(plain.receive))["msg"] == "I am."


@pytest.mark.parametrize(("with_cookie", "origin"), [(False, None), (True, "https://evil.example")])
async def test_only_the_admins_own_pages_may_connect(
    stack: Stack, ws_url: str, cookie: str, with_cookie: bool, origin: str | None
) -> None:
    address = operator_url(ws_url, create_session(stack.url))
    headers = {"Cookie": cookie} if with_cookie else {}
    with pytest.raises(InvalidStatus) as refused:
        async with connect(
            address,
            additional_headers=headers,
            origin=Origin(origin) if origin else None,
            proxy=None,
        ):
            pass
    assert refused.value.response.status_code == 403
