"""The names of visitors: how long they may be, and what they may contain."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from chat.schemas import has_invisible

MAX_NAME_CHARS = 100
INVALID_NAME_MSG = "Enter a valid name"
INVISIBLE_NAME_MSG = "Enter a name without control or text direction characters"


def _encodable(name: str) -> str:
    name.encode()
    return name


def _visible(name: str) -> str:
    if has_invisible(name):
        raise PydanticCustomError("name_invisible", "control or direction characters")
    return name


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME_CHARS),
    AfterValidator(_encodable),
    AfterValidator(_visible),
]
names = TypeAdapter(Name)


class InvalidName(Exception):
    """The name is missing, blank or longer than MAX_NAME_CHARS, or has invisible characters."""

    def __init__(self, error: ValidationError) -> None:
        super().__init__(INVALID_NAME_MSG)
        self.is_invisible = error.errors(include_input=False)[0]["type"] == "name_invisible"
