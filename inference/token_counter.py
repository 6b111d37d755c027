"""Count the tokens of texts by asking the model server, where it can tell.

llama.cpp, vLLM and text-generation-inference have `POST /tokenize`, with the text in `content`,
`prompt` and `inputs`. Each ignores the names of the others, so one request serves all three.
https://github.com/ggml-org/llama.cpp/tree/master/tools/server#post-tokenize-tokenize-a-given-text
https://docs.vllm.ai/en/latest/serving/openai_compatible_server/#tokenizer-api
https://huggingface.github.io/text-generation-inference/
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from inference.cancellable_http import Call
from inference.dialect import as_count
from inference.event_stream import parse_json
from inference.model_errors import ModelError
from inference.prompt import estimate_tokens
from inference.transport import Transport

REQUEST_TIMEOUT_S: Final = 1.0
MAX_RESPONSE_BYTES: Final = 4_000_000
MAX_TEXTS: Final = 20_000
MAX_CHARS: Final = 65_536
# A server without the route is not asked again soon, one that fails is.
UNSUPPORTED_S: Final = 600.0
FAILED_S: Final = 15.0


class TokenCounter:
    """Counts tokens, each text once. Threads may share it.

    If the server does not respond, or does not know the route, it estimates.
    """

    def __init__(
        self, transport: Transport, name: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._transport = transport
        self._name = name
        self._clock = clock
        self._pause_until = float("-inf")
        # By digest, so that no text stays in memory.
        self._known: OrderedDict[bytes, int] = OrderedDict()
        self._lock = threading.Lock()

    def within(self, seconds: float) -> Callable[[str], int]:
        """Return a function that counts, and that only estimates after this time."""
        give_up_at = self._clock() + seconds
        return lambda text: self._count(text, give_up_at)

    def close(self) -> None:
        """Close the pooled connections."""
        self._transport.close()

    def _count(self, text: str, give_up_at: float) -> int:
        if not text:
            return 0
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        with self._lock:
            if (known := self._known.get(digest)) is not None:
                self._known.move_to_end(digest)
                return known
        now = self._clock()
        if not self._pause_until <= now < give_up_at or len(text) > MAX_CHARS:
            return estimate_tokens(text)
        count = self._ask(text)
        if count is None:
            return estimate_tokens(text)
        with self._lock:
            self._known[digest] = count
            if len(self._known) > MAX_TEXTS:
                self._known.popitem(last=False)
        return count

    def _ask(self, text: str) -> int | None:
        payload = {
            "model": self._name,
            **dict.fromkeys(("content", "prompt", "inputs"), text),
            "add_special_tokens": False,
        }
        call = Call()
        try:
            with self._transport.post(payload, call, None) as response:
                if response.status == 200:
                    response.limit_rest(REQUEST_TIMEOUT_S)
                    count = parse_count(parse_json(b"".join(response)))
                else:
                    count = None
        except ModelError:
            self._pause(FAILED_S)
            return None
        finally:
            call.detach()
        if count is None:
            self._pause(FAILED_S if response.status in (429, 503) else UNSUPPORTED_S)
        return count

    def _pause(self, seconds: float) -> None:
        self._pause_until = self._clock() + seconds


def parse_count(response: object) -> int | None:
    """Return the number of tokens in a response of `/tokenize`, or None if it has another form."""
    if isinstance(response, dict):
        tokens = response.get("tokens")
        if isinstance(tokens, list):
            return len(tokens)
        return as_count(response.get("count"))
    return len(response) if isinstance(response, list) else None
