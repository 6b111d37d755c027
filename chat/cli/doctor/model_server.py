"""Check that the model servers serve the models and the contexts that the settings name."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings

from chat.cli.doctor.findings import Finding, failure, ok, warning
from chat.cli.doctor.tls import check_tls
from chat.cli.lines import printable
from inference.model_client import MIN_PROMPT_TOKENS, ModelSettings
from inference.server_info import ServerInfo, Unauthorized, Unreachable, fetch_info

AUTHORITY = "Set MODEL_CA_FILE to the certificate of the authority."
MAX_NAMES = 5
VARIABLES = {
    "name": "MODEL_NAME",
    "url": "MODEL_URL",
    "token": "HUGGINGFACE_INFERENCE_TOKEN",
    "context_tokens": "MODEL_CONTEXT_TOKENS",
    "max_new_tokens": "MAX_NEW_TOKENS",
}


def check_model_server() -> Iterator[Finding]:
    """Ask each model server about itself and compare what it says with the settings."""
    for model in settings.MODELS:
        for endpoint in model.endpoints:
            table = f"[models.{model.name}]" if settings.MODELS_FILE else ""
            yield from EndpointCheck(endpoint, table).run()


class EndpointCheck:
    """The checks of one endpoint; `table` is its place in MODELS_FILE, if it is from there."""

    def __init__(self, endpoint: ModelSettings, table: str) -> None:
        self._endpoint = endpoint
        self._table = table
        # Without the path and what may be a password.
        host = urlsplit(endpoint.url).netloc.rpartition("@")[2]
        self._server = f"The model server {host} of {table}" if table else "The model server"

    def run(self) -> Iterator[Finding]:
        """Return what is right or wrong about this endpoint."""
        try:
            info = fetch_info(self._endpoint)
        except Unauthorized:
            yield failure(f"{self._server} rejects the token", f"Correct {self._setting('token')}.")
            return
        except Unreachable as error:
            yield check_tls(self._server, error, AUTHORITY) or warning(
                f"{self._server} does not respond to this host ({type(error.__cause__).__name__})",
                f"Start it, or correct {self._setting('url')}. Only the hosts of workers must"
                " reach it.",
            )
            return
        if info is None:
            yield ok(f"{self._server} does not say which model it serves")
            return
        if not settings.EMBEDDED_MODEL:
            yield from self._check_name(info)
        yield from self._check_context(info)

    def _check_name(self, info: ServerInfo) -> Iterator[Finding]:
        name = self._endpoint.name
        if not info.names:
            return
        if name in info.names:
            yield ok(f"{self._server} serves {name}")
            return
        served = [printable(each) for each in info.names]
        shown = ", ".join(served[:MAX_NAMES]) + (" …" if len(served) > MAX_NAMES else "")
        text = f"{self._server} serves {shown}; {self._setting('name')} is {name}"
        if not info.ignores_name:
            one_of = f"Set {self._setting('name')} to one of these."
            yield failure(text, one_of if len(served) > 1 else self._advice(name=served[0]))
        elif name.lower() == served[0].lower():
            yield ok(f"{self._server} serves {served[0]}")
        else:
            advice = self._advice(name=served[0]).rstrip(".")
            yield warning(text, f"{advice}, so that the admin shows the right one.")

    def _check_context(self, info: ServerInfo) -> Iterator[Finding]:
        """Check the context, and the prompt that it leaves beside the reply."""
        endpoint = self._endpoint
        most = [
            *([] if info.context_tokens is None else [info.context_tokens]),
            *([] if info.prompt_tokens is None else [info.prompt_tokens + endpoint.max_new_tokens]),
        ]
        if not most:
            return
        tokens = min(most)
        if tokens >= endpoint.context_tokens:
            yield ok(f"{self._server} accepts {endpoint.context_tokens} tokens")
            return
        yield failure(
            f"{self._server} refuses long prompts: {self._setting('context_tokens')} is"
            f" {endpoint.context_tokens}, but it accepts {tokens} tokens",
            self._context_advice(tokens),
        )

    def _context_advice(self, tokens: int) -> str:
        if tokens < 2 * MIN_PROMPT_TOKENS:
            return "Start it with a longer context."
        if tokens - self._endpoint.max_new_tokens >= MIN_PROMPT_TOKENS:
            return self._advice(context_tokens=tokens)
        return self._advice(context_tokens=tokens, max_new_tokens=tokens // 2)

    def _setting(self, key: str) -> str:
        """Return how the operator names a setting of this endpoint."""
        if not self._table:
            return VARIABLES[key]
        return f"{'token_env' if key == 'token' else key} of {self._table}"

    def _advice(self, **values: object) -> str:
        if not self._table:
            return f"Set {' '.join(f'{VARIABLES[key]}={value}' for key, value in values.items())}."
        lines = (
            f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}"
            for key, value in values.items()
        )
        return f"Set {' and '.join(lines)} in {self._table}."
