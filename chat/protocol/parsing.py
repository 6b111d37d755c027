"""Parse the frames of clients, and check what they contain."""

from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from chat.errors import MessageEmpty, MessageInvalid, MessageTooLong
from chat.protocol.frame import MAX_COMMENT_CHARS, MAX_FRAME_BYTES
from chat.protocol.from_client import (
    ClientFrame,
    MessageSend,
    ReplyRate,
    VersionChoose,
    VersionLoad,
    client_frames,
)


def check_size(text: str) -> None:
    """Raise MessageTooLong for a frame above MAX_FRAME_BYTES, before anything parses it."""
    if len(text) > MAX_FRAME_BYTES or len(text.encode()) > MAX_FRAME_BYTES:
        raise MessageTooLong("The frame is too long. At most 64 KiB are allowed.")


def check_comment(text: str) -> None:
    """Raise MessageTooLong if `text` cannot be a comment on a rating."""
    if len(text) > MAX_COMMENT_CHARS:
        raise MessageTooLong(
            f"The comment has {len(text)} characters; at most {MAX_COMMENT_CHARS} are allowed."
        )


def check_message(text: str, max_chars: int) -> None:
    """Raise MessageEmpty or MessageTooLong if `text` cannot be a message."""
    if not text.strip():
        raise MessageEmpty
    if len(text) > max_chars:
        raise MessageTooLong(
            f"The message has {len(text)} characters; at most {max_chars} are allowed."
        )


def parse_frame(text: str) -> ClientFrame:
    """Return the client frame in `text`; raises MessageInvalid with the frame's id in `ref`."""
    try:
        value = from_json(text)
    except (ValueError, TypeError) as error:  # TypeError: text that is not Unicode
        raise InvalidFrame("The frame is not valid JSON.") from error
    ref = frame_id(value)
    try:
        return client_frames.validate_python(value)
    except ValidationError as error:
        raise InvalidFrame(_what_is_wrong(error), ref) from error


class InvalidFrame(MessageInvalid):
    """A frame that is not valid; `ref` is its id, if it has one."""

    def __init__(self, detail: str, ref: str | None = None) -> None:
        super().__init__(detail)
        self.ref = ref


def id_of(frame: ClientFrame) -> str | None:
    """Return a frame's id, if its type has one."""
    match frame:
        case MessageSend(id=id_) | ReplyRate(id=id_) | VersionLoad(id=id_) | VersionChoose(id=id_):
            return str(id_)
        case _:
            return None


def frame_id(value: Any) -> str | None:
    """Return the id of a client's frame, if it is short enough to be sent back."""
    reference = value.get("id") if isinstance(value, dict) else None
    return reference if isinstance(reference, str) and len(reference) <= 64 else None


def _what_is_wrong(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"].startswith("union_tag"):
        return "The frame has no known type."
    if first["type"].startswith(("model_attributes", "dict_type", "model_type")):
        return "A frame must be a JSON object with a type."
    field = ".".join(str(part) for part in first["loc"][1:])
    if first["type"] == "uuid_spelling":
        return f"The field {field} must be {first['msg']}."
    return f"The field {field} is missing or not valid."
