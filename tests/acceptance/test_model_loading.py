"""`model.loading`: a countdown while the model starts, and the reply without another message."""

from tests.acceptance.conftest import Tabs
from tests.model_stub import ModelStub, loading


async def test_the_reply_is_generated_once_the_model_has_loaded(
    tabs: Tabs, model_stub: ModelStub
) -> None:
    model_stub.script(loading(0.7), loading(0.6))
    ada, other = await tabs(2)
    message = await ada.send_message("wake up")

    for tab in (ada, other):
        reply = await tab.wait_for_reply(message)
        assert reply["msg"] == "You said: wake up"
        frames = [frame for frame in tab.frames if frame["type"] == "model.loading"]
        assert [(frame["reply_to"], frame["retry_in_s"]) for frame in frames] == [
            (message, 0.7),
            (message, 0.6),
        ]
    assert len(model_stub.requests) == 3


async def test_a_client_that_reconnects_gets_the_remaining_time(
    tabs: Tabs, model_stub: ModelStub
) -> None:
    model_stub.script(loading(20))
    (ada,) = await tabs()
    message = await ada.send_message("wake up")
    await ada.wait_for_frame("model.loading")
    await ada.drop()
    start = len(ada.frames)

    ready = await ada.connect()
    frame = await ada.wait_for_frame("model.loading", since=start)

    assert ready["reply"]["reply_to"] == frame["reply_to"] == message
    assert 10 < frame["retry_in_s"] < 20
    await ada.send("reply.stop", reply_to=message)
    await ada.wait_for_reply(message)
