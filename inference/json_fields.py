"""Typed reading of JSON that a server sent; what has another shape is a bad reply."""

from collections.abc import Mapping

from inference.model_errors import ModelBadReply


def as_object(value: object) -> Mapping[str, object]:
    """Return a JSON object; an absent one (null) is empty."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise ModelBadReply


def first_object(value: object) -> Mapping[str, object]:
    """Return a JSON object or the first one of an array; an empty or absent array gives {}."""
    while isinstance(value, list):
        value = value[0] if value else None
    return as_object(value)


def as_text(value: object) -> str:
    """Return a JSON string; an absent one (null) is empty."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    raise ModelBadReply


def as_count(value: object) -> int | None:
    """Return a number of things, or None for whatever is not one."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if is_count and isinstance(value, int) else None


def as_seconds(value: object) -> float | None:
    """Return a duration, or None for whatever is not one (also not a number, infinite, below 0)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < float("inf") else None
