"""What all frames have in common."""

from pydantic import BaseModel, ConfigDict

SUBPROTOCOL = "chat.v1"
MAX_FRAME_BYTES = 64 * 1024
MAX_COMMENT_CHARS = 1000


class Frame(BaseModel):
    """One JSON object on the socket."""

    model_config = ConfigDict(
        frozen=True, hide_input_in_errors=True, json_schema_serialization_defaults_required=True
    )

    type: str
