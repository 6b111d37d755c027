"""Validators and readers of the variables that say how the model is asked."""

from collections.abc import Callable
from typing import Any, Final, cast

from environs import EnvError, ValidationError

from inference.model_settings import (
    ModelSettings,
    ServedModel,
    check_headers,
    check_parameters,
    check_stop,
    check_system_prompt,
)
from inference.prompt import Speakers

MODEL_APIS: Final = ("huggingface", "completions", "chat")
AUTO: Final = "auto"
# What fits the context is sent; this is how many messages are looked at.
AUTO_HISTORY_MESSAGES: Final = 200


def default_max_new_tokens(api: str, context_tokens: int) -> int:
    """Return the length of a reply: instruct models end theirs, GPT-J would write another turn."""
    return min(512 if api == "chat" else 25, context_tokens // 2)


def is_history_size(value: str) -> None:
    if value != AUTO and not (value.isdecimal() and 1 <= int(value) <= AUTO_HISTORY_MESSAGES):
        raise ValidationError(f"Must be auto or a number from 1 to {AUTO_HISTORY_MESSAGES}.")


def history_messages(value: str) -> int:
    """Return the number of messages that a prompt includes at most."""
    return AUTO_HISTORY_MESSAGES if value == AUTO else int(value)


def are_parameters(value: object) -> None:
    if not isinstance(value, dict):
        raise ValidationError("Must be a JSON object.")
    _run(check_parameters, value)


def are_headers(value: object) -> None:
    # The value may contain secrets, so no error shows it.
    if not isinstance(value, dict):
        raise ValidationError("Must be a JSON object of texts.")
    _run(check_headers, value)


def are_stop_sequences(value: object) -> None:
    if not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
        raise ValidationError("Must be a JSON array of texts.")
    _run(check_stop, value)


def read_speakers(human: str, bot: str) -> Speakers:
    """Return the speakers' names; raises EnvError."""
    try:
        return Speakers(human, bot)
    except ValueError as error:
        raise EnvError(
            f'Environment variable "HUMAN_NAME" or "BOT_NAME" is not valid: {error}'
        ) from None


def single_model(**values: Any) -> tuple[ServedModel, ...]:
    """Return the model that the variables describe; raises EnvError."""
    budget_tokens = values["context_tokens"] - values["max_new_tokens"]
    try:
        check_system_prompt("", budget_tokens)
    except ValueError:
        raise EnvError(
            'Environment variable "MAX_NEW_TOKENS" leaves no space for a prompt in'
            " MODEL_CONTEXT_TOKENS"
        ) from None
    try:
        check_system_prompt(values["system_prompt"], budget_tokens)
    except ValueError as error:
        raise EnvError(f'Environment variable "SYSTEM_PROMPT" is not valid: {error}') from None
    try:
        endpoint = ModelSettings(**values)
    except ValueError as error:
        raise EnvError(f'Environment variable "MODEL_HEADERS" is not valid: {error}') from None
    return (ServedModel(name=endpoint.name, label=endpoint.name, endpoints=(endpoint,)),)


def _run(check: Callable[[Any], None], value: object) -> None:
    try:
        check(cast(Any, value))
    except ValueError as error:
        raise ValidationError(f"{error}.") from None
