"""Check that the model server serves the model and the context that the settings name."""

from collections.abc import Iterator
from typing import cast

from django.conf import settings

from chat.cli.doctor.findings import Finding, failure, ok, warning
from chat.cli.doctor.tls import check_tls
from chat.cli.lines import printable
from inference.model_client import MIN_PROMPT_TOKENS, Api
from inference.server_info import Endpoint, ServerInfo, Unauthorized, Unreachable

NAME = "The model server"
AUTHORITY = "Set MODEL_CA_FILE to the certificate of the authority."
MAX_NAMES = 5


def check_model_server() -> Iterator[Finding]:
    """Ask the model server about itself and compare what it says with the settings."""
    endpoint = Endpoint(
        api=cast(Api, settings.MODEL_API),
        url=settings.MODEL_URL,
        name=settings.MODEL_NAME,
        token=settings.HUGGINGFACE_INFERENCE_TOKEN,
        ca_file=settings.MODEL_CA_FILE,
        proxy=settings.MODEL_PROXY,
    )
    try:
        info = endpoint.fetch_info()
    except Unauthorized:
        yield failure(f"{NAME} rejects the token", "Correct HUGGINGFACE_INFERENCE_TOKEN.")
        return
    except Unreachable as error:
        yield check_tls(NAME, error, AUTHORITY) or warning(
            f"{NAME} does not respond to this host ({type(error.__cause__).__name__})",
            "Start it, or correct MODEL_URL. Only the hosts of workers must reach it.",
        )
        return
    if info is None:
        yield ok(f"{NAME} does not say which model it serves")
        return
    if not settings.EMBEDDED_MODEL:
        yield from check_name(info)
    yield from check_context(info)


def check_name(info: ServerInfo) -> Iterator[Finding]:
    """Check MODEL_NAME."""
    name = str(settings.MODEL_NAME)
    if not info.names:
        return
    if name in info.names:
        yield ok(f"{NAME} serves {name}")
        return
    served = [printable(each) for each in info.names]
    shown = ", ".join(served[:MAX_NAMES]) + (" …" if len(served) > MAX_NAMES else "")
    text = f"{NAME} serves {shown}; MODEL_NAME is {name}"
    if not info.ignores_name:
        only = f"={served[0]}" if len(served) == 1 else " to one of these"
        yield failure(text, f"Set MODEL_NAME{only}.")
    elif name.lower() == served[0].lower():
        yield ok(f"{NAME} serves {served[0]}")
    else:
        yield warning(text, f"Set MODEL_NAME={served[0]}, so that the admin shows the right one.")


def check_context(info: ServerInfo) -> Iterator[Finding]:
    """Check MODEL_CONTEXT_TOKENS, and the prompt that it leaves beside the reply."""
    most = [
        *([] if info.context_tokens is None else [info.context_tokens]),
        *([] if info.prompt_tokens is None else [info.prompt_tokens + settings.MAX_NEW_TOKENS]),
    ]
    if not most:
        return
    tokens = min(most)
    if tokens >= settings.MODEL_CONTEXT_TOKENS:
        yield ok(f"{NAME} accepts {settings.MODEL_CONTEXT_TOKENS} tokens")
        return
    yield failure(
        f"{NAME} refuses long prompts: MODEL_CONTEXT_TOKENS is {settings.MODEL_CONTEXT_TOKENS},"
        f" but it accepts {tokens} tokens",
        _context_advice(tokens),
    )


def _context_advice(tokens: int) -> str:
    if tokens < 2 * MIN_PROMPT_TOKENS:
        return "Start it with a longer context."
    if tokens - settings.MAX_NEW_TOKENS >= MIN_PROMPT_TOKENS:
        return f"Set MODEL_CONTEXT_TOKENS={tokens}."
    return f"Set MODEL_CONTEXT_TOKENS={tokens} MAX_NEW_TOKENS={tokens // 2}."
