"""`reply.regenerate` replaces the last reply, or a failed one, once."""

from tests.acceptance.conftest import Tabs
from tests.client import Client, history
from tests.client_view import Frame
from tests.model_stub import Behaviour, ModelStub, failing
from tests.processes import Stack


async def wait_for_new_reply(client: Client, message: str, old: Frame) -> Frame:
    """Wait for the reply that replaces `old`."""
    await client.wait_until(
        lambda: any(each.get("replaces") == old["id"] for each in client.view.messages.values()),
        "a new reply",
    )
    return await client.wait_for_reply(message)


def replaced_by(old: Frame, new: Frame) -> Frame:
    """Return what is sent of a replaced reply."""
    stub = {name: old[name] for name in ("id", "seq", "source", "reply_to")}
    return stub | {"replaced_by": new["id"]}


def prompts(model_stub: ModelStub) -> list[str]:
    return [request.payload["inputs"] for request in model_stub.requests]


async def test_the_new_reply_replaces_the_old_one_for_every_tab(
    tabs: Tabs, model_stub: ModelStub
) -> None:
    model_stub.script(Behaviour(text="first try"), Behaviour(text="second try"))
    ada, other = await tabs(2)
    message = await ada.send_message("hello")
    old = await ada.wait_for_reply(message)

    await other.send("reply.regenerate", reply_to=message)
    new = await wait_for_new_reply(ada, message, old)

    assert (new["msg"], new["seq"], new["replaces"]) == ("second try", 3, old["id"])
    for tab in (ada, other):
        await wait_for_new_reply(tab, message, old)
        assert tab.view.messages[2] == replaced_by(old, new)


async def test_a_later_client_does_not_get_the_replaced_text(
    tabs: Tabs, stack: Stack, model_stub: ModelStub
) -> None:
    model_stub.script(Behaviour(text="first try"), Behaviour(text="second try"))
    (ada,) = await tabs()
    message = await ada.send_message("hello")
    old = await ada.wait_for_reply(message)
    await ada.send("reply.regenerate", reply_to=message)
    new = await wait_for_new_reply(ada, message, old)

    late = Client(ada.ws_url, ada.token)
    async with late:
        assert late.frames[0]["messages"][1] == replaced_by(old, new)
        assert late.view.shown() == ada.view.shown()
    stored = history(stack.url, ada.token)
    assert [message["msg"] for message in stored] == ["Human: hello", "Bot: second try"]

    await ada.wait_for_reply(await ada.send_message("and now?"))
    assert prompts(model_stub)[-1] == "Human: hello\nBot: second try\nHuman: and now?\nBot:"


async def test_repeated_requests_from_two_tabs_regenerate_once(
    tabs: Tabs, model_stub: ModelStub
) -> None:
    ada, other = await tabs(2)
    message = await ada.send_message("hello")
    old = await ada.wait_for_reply(message)
    await other.wait_for_reply(message)
    model_stub.script(Behaviour(text="a slow reply", piece_delay_s=0.2))

    for tab in (ada, other, ada):
        await tab.send("reply.regenerate", reply_to=message)
    new = await wait_for_new_reply(ada, message, old)
    await ada.wait_for_reply(await ada.send_message("next"))

    assert new["msg"] == "a slow reply"
    assert [each["source"] for each in ada.view.messages.values() if "msg" in each] == [
        "human",
        "bot",
        "human",
        "bot",
    ]
    assert len(model_stub.requests) == 3


async def test_a_failed_reply_is_regenerated(tabs: Tabs, model_stub: ModelStub) -> None:
    model_stub.script(failing(401))
    (ada,) = await tabs()
    message = await ada.send_message("hello")
    failed = await ada.wait_for_reply(message)
    assert failed["error"]["code"] == "model.unauthorized"

    await ada.send("reply.regenerate", reply_to=message)
    new = await wait_for_new_reply(ada, message, failed)

    assert (new["msg"], new["replaces"]) == ("You said: hello", failed["id"])
    assert "error" not in new


async def test_a_good_reply_stays_if_the_new_one_fails(
    tabs: Tabs, stack: Stack, model_stub: ModelStub
) -> None:
    model_stub.script(Behaviour(text="good"), failing(401), Behaviour(text="better"))
    ada, other = await tabs(2)
    message = await ada.send_message("hello")
    old = await ada.wait_for_reply(message)
    await ada.send("reply.regenerate", reply_to=message)
    for tab in (ada, other):
        failed = (await tab.wait_for_frame("reply.failed"))["message"]
        assert (failed["replaced_by"], failed["error"]["code"]) == (old["id"], "model.unauthorized")
        assert await tab.wait_for_reply(message) == old
    assert [each["msg"] for each in history(stack.url, ada.token)] == ["Human: hello", "Bot: good"]

    await other.send("reply.regenerate", reply_to=message)
    assert (await wait_for_new_reply(ada, message, old))["msg"] == "better"


async def test_a_failed_reply_in_the_middle_is_retried_with_the_earlier_history(
    tabs: Tabs, model_stub: ModelStub
) -> None:
    model_stub.script(failing(401))
    (ada,) = await tabs()
    failed_message = await ada.send_message("one")
    failed = await ada.wait_for_reply(failed_message)
    await ada.wait_for_reply(await ada.send_message("two"))

    await ada.send("reply.regenerate", reply_to=failed_message)
    await wait_for_new_reply(ada, failed_message, failed)

    assert prompts(model_stub)[1:] == ["Human: one\nHuman: two\nBot:", "Human: one\nBot:"]


async def test_only_the_last_reply_can_be_regenerated(tabs: Tabs) -> None:
    (ada,) = await tabs()
    first = await ada.send_message("one")
    await ada.wait_for_reply(first)
    await ada.wait_for_reply(await ada.send_message("two"))

    await ada.send("reply.regenerate", reply_to=first)

    assert (await ada.wait_for_frame("error"))["code"] == "message.invalid"


async def test_a_regenerated_reply_is_queued_behind_waiting_messages(
    tabs: Tabs, model_stub: ModelStub
) -> None:
    (ada,) = await tabs()
    first = await ada.send_message("one")
    old = await ada.wait_for_reply(first)
    model_stub.script(Behaviour(piece_delay_s=0.1))
    second = await ada.send_message("two")
    await ada.wait_for_frame("reply.started", reply_to=second)

    await ada.send("reply.regenerate", reply_to=first)
    new = await wait_for_new_reply(ada, first, old)

    replies = [each for each in ada.view.messages.values() if each.get("finish_reason")]
    assert [reply["reply_to"] for reply in replies] == [second, first]
    assert new["seq"] == 5
    assert (await ada.wait_for_frame("reply.queued", reply_to=first))["ahead"] == 1


async def test_the_model_gets_the_conversation_before_many_regenerations(
    tabs: Tabs, model_stub: ModelStub
) -> None:
    (ada,) = await tabs()
    await ada.wait_for_reply(await ada.send_message("first"))
    message = await ada.send_message("second")
    old = await ada.wait_for_reply(message)
    for number in range(9):
        model_stub.script(Behaviour(text=f"try {number}"))
        await ada.send("reply.regenerate", reply_to=message)
        old = await wait_for_new_reply(ada, message, old)

    await ada.wait_for_reply(await ada.send_message("third"))

    assert prompts(model_stub)[-1].splitlines() == [
        "Bot: You said: first",
        "Human: second",
        "Bot: try 8",
        "Human: third",
        "Bot:",
    ]
