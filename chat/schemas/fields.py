"""The types of fields and the base classes of all schemas."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError


def format_timestamp(instant: datetime) -> str:
    """Return ISO 8601 in UTC, to the millisecond."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# Control characters, line separators, and characters that change the direction of the text around
# them, so that a name could rewrite a line of the admin or of a terminal.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def has_invisible(name: str) -> bool:
    """Return whether a name contains control or direction characters."""
    return _INVISIBLE.search(name) is not None


def show_invisible(name: str) -> str:
    """Return a name with control and direction characters written as escapes such as `\\u202e`."""
    return _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", name)


def parse_uuid(text: str) -> UUID:
    """Return a UUID in its one spelling: lower case with hyphens. Raises ValueError.

    `UUID` also accepts braces, prefixes and hyphens anywhere, so one token would have many
    spellings, of which a log filter or a cache knows one.
    """
    value = UUID(text)
    if str(value) != text:
        raise ValueError("not in lower case with hyphens")
    return value


def _check_spelling(value: object) -> object:
    if isinstance(value, UUID):
        return value
    try:
        return parse_uuid(value if isinstance(value, str) else "")
    except ValueError:
        raise PydanticCustomError("uuid_spelling", "a UUID in lower case with hyphens") from None


# Ids are echoed and compared as text, so an id in another spelling would never match.
ClientUuid = Annotated[UUID, BeforeValidator(_check_spelling)]

Timestamp = Annotated[
    datetime,
    PlainSerializer(format_timestamp, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]


class FrozenModel(BaseModel):
    """A frozen value. Unknown fields are ignored, so that stored data may grow."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class SparseModel(FrozenModel):
    """A value whose empty fields are left out when it is sent, but for `always_sent`."""

    always_sent: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_empty(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {
            name: value
            for name, value in handler(self).items()
            if value is not None or name in self.always_sent
        }

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe the fields, because pydantic cannot see what the serializer returns."""
        fields: Any = {key: value for key, value in core_schema.items() if key != "serialization"}
        schema = handler.resolve_ref_schema(handler(fields))
        if handler.mode == "serialization":
            for name, field in schema["properties"].items():
                if name in cls.always_sent:
                    schema["required"].append(name)
                else:
                    _drop_null(field)
        return schema


def _drop_null(field: dict[str, Any]) -> None:
    options = [option for option in field.get("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1:
        del field["anyOf"]
        field.pop("default", None)
        field.update(options[0])
