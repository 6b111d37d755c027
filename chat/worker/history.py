"""Which turns of a conversation are sent to the model. No I/O."""

from collections.abc import Sequence

from chat.schemas import StoredMessage
from inference.model_client import Turn


def history_window(
    messages: Sequence[StoredMessage], answering: StoredMessage, size: int
) -> tuple[Turn, ...]:
    """Return the last `size` turns up to the message being answered, oldest first.

    Every human message is followed by its own reply, in whatever order they were stored. Failed and
    empty replies, replaced messages, and the messages after `answering` are left out.
    """
    replies = {
        message.reply_to: message
        for message in messages
        if message.source == "bot" and message.msg and not (message.error or message.replaced_by)
    }
    turns: list[Turn] = []
    for message in messages:
        is_sent = message.source == "human" and not message.replaced_by
        if is_sent and message.seq <= answering.seq:
            turns.append(Turn("human", message.msg))
            if message.id in replies and message.id != answering.id:
                turns.append(Turn("bot", replies[message.id].msg))
    return tuple(turns[-size:])
