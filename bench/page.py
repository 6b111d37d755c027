"""The chat page's transfer size and its longest frames.

The size is that of every file of the first visit as it is transferred, without headers. Times are
measured by the browser: wall-clock time from the frame with the history until the transcript is
painted; frames above 50 ms by the Long Animation Frames API, which other processes on the machine
slow down; and the CPU time of each task of the page's thread, which they do not.
"""

import json
from collections import defaultdict
from collections.abc import Iterator

from playwright.sync_api import Browser, Page, Request, sync_playwright

from bench._load import site
from tests.browser.conftest import launch
from tests.browser.frames import bot, delta, human, ready, started

HISTORY_MESSAGES = 2_000
REPLY_CHARS = 20_000
DELTA_CHARS = 40
DELTA_MS = 20
TASKS = "disabled-by-default-devtools.timeline"
PARAGRAPH = (
    "A paragraph with **bold** words, `code` and a [link](https://example.org/), long enough "
    "to fill some lines of the page, as replies do.\n\n"
)
CODE = (
    "```python\n"
    + "def add(left: int, right: int) -> int:\n    return left + right\n" * 6
    + "```\n\n"
)
LIST = "".join(f"{n}. item number {n}\n" for n in range(1, 9)) + "\n"
TEXTS = {
    "mixed Markdown": ((PARAGRAPH * 3 + LIST + CODE) * 30)[:REPLY_CHARS],
    "one paragraph": (PARAGRAPH.strip() + " ") * 200,
    "one block of code": "```python\n" + "left = right + 1  # add one\n" * 900,
}
TEXTS = {kind: text[:REPLY_CHARS] for kind, text in TEXTS.items()}

# Runs before the page's script: a socket that the benchmark feeds, so that only the page is
# measured, and an observer of slow frames.
INIT = """
  window.slow = [];
  new PerformanceObserver((list) => slow.push(...list.getEntries().map((entry) => entry.duration)))
    .observe({ type: "long-animation-frame" });
  window.WebSocket = class {
    readyState = 1;
    constructor() {
      window.receive = (data) => this.onmessage({ data });
      setTimeout(() => receive(EMPTY));
    }
    send() {}
    close() {}
  };
"""
OPEN = """async (frame) => {
  slow.length = 0;
  const start = performance.now();
  receive(frame);
  while (!document.querySelector(".turn")) await new Promise(requestAnimationFrame);
  await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
  return performance.now() - start;
}"""
ALL_RENDERED = "(count) => document.querySelectorAll('.turn').length === count"
STREAM = """async ([frames, pause]) => {
  slow.length = 0;
  for (const frame of frames) {
    receive(frame);
    await new Promise((then) => setTimeout(then, pause));
  }
}"""


def run() -> Iterator[str]:
    """Measure with the system's Chromium."""
    with (
        site("daphne") as (stack, _),
        sync_playwright() as playwright,
        launch(playwright) as browser,
    ):
        yield f"Chromium {browser.version}"
        yield from _size(browser, stack.url)
        yield from _history(browser, stack.url)
        yield from _streaming(browser, stack.url)


def _size(browser: Browser, url: str) -> Iterator[str]:
    """Measure what is transferred until the first message can be typed."""
    page = browser.new_page()
    finished: list[Request] = []
    page.on("requestfinished", lambda request: finished.append(request))
    page.goto(url)
    page.wait_for_load_state("networkidle")
    sizes = {
        request.url.removeprefix(url): request.sizes()["responseBodySize"] for request in finished
    }
    page.close()
    for address, size in sorted(sizes.items(), key=lambda item: -item[1]):
        yield f"  {size / 1000:6.1f} KB  {address}"
    yield f"first visit: {sum(sizes.values()) / 1000:.1f} KB compressed in {len(sizes)} files"


def _history(browser: Browser, url: str) -> Iterator[str]:
    messages = []
    for seq in range(1, HISTORY_MESSAGES, 2):
        messages += [human(seq, f"Question {seq}?"), bot(seq + 1, seq, PARAGRAPH + LIST)]
    page = _start(browser, url)
    browser.start_tracing(page=page, categories=[TASKS])
    milliseconds = page.evaluate(OPEN, json.dumps(ready(messages)))
    tasks_ms = _task_times_ms(browser)
    yield (
        f"{HISTORY_MESSAGES} messages: painted after {milliseconds:.0f} ms, "
        f"{sum(tasks_ms):.0f} ms of it CPU time of the page"
    )
    browser.start_tracing(page=page, categories=[TASKS])
    page.wait_for_function(ALL_RENDERED, arg=HISTORY_MESSAGES // 2)
    yield f"  until the older ones are rendered: {_slow_frames(page, _task_times_ms(browser))}"
    page.close()


def _streaming(browser: Browser, url: str) -> Iterator[str]:
    for kind, text in TEXTS.items():
        page = _start(browser, url)
        page.evaluate("receive", json.dumps(ready([human(1, "Write a long text.")])))
        page.evaluate("receive", json.dumps(started(1)))
        page.wait_for_selector(".turn")
        starts = range(0, len(text), DELTA_CHARS)
        pieces = [json.dumps(delta(1, at, text[at : at + DELTA_CHARS])) for at in starts]
        browser.start_tracing(page=page, categories=[TASKS])
        page.evaluate(STREAM, [pieces, DELTA_MS])
        result = _slow_frames(page, _task_times_ms(browser))
        page.close()
        yield f"{len(text)} characters of {kind}, streamed: {result}"


def _slow_frames(page: Page, tasks_ms: list[float]) -> str:
    slow = page.evaluate("slow")
    longest = f" (longest {max(slow):.0f} ms)" if slow else ""
    return f"longest task {max(tasks_ms):.0f} ms; frames above 50 ms: {len(slow)}{longest}"


def _task_times_ms(browser: Browser) -> list[float]:
    """Stop tracing; return the CPU time of each task of the busiest page's thread."""
    events = json.loads(browser.stop_tracing())["traceEvents"]
    times: dict[int, list[float]] = defaultdict(list)
    pages = {event["tid"] for event in events if event["args"].get("name") == "CrRendererMain"}
    for event in events:
        if event["name"] == "RunTask" and event["tid"] in pages:
            times[event["tid"]].append(event.get("tdur", 0) / 1000)
    return max(times.values(), key=sum)


def _start(browser: Browser, url: str) -> Page:
    """Return a page in an empty conversation that gets its frames through `receive`."""
    page = browser.new_page()
    page.add_init_script(INIT.replace("EMPTY", json.dumps(json.dumps(ready([])))))
    page.goto(url)
    page.get_by_label("Your name").fill("Ada")
    page.keyboard.press("Enter")
    page.wait_for_selector("#message:visible")
    page.wait_for_load_state("networkidle")
    return page
