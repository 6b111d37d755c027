"""What the page shows while the connection, server or workers are away; long names; focus."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from chat.container import PING_INTERVAL_S
from tests.browser.frames import LIMITS, accepted, queued, ready
from tests.browser.states import LONG_WORD
from tests.browser.visitor import NewVisitor, Show, Visitor
from tests.model_stub import Behaviour, ModelStub
from tests.processes import HIGH_LIMITS, Stack, wait_for

# The page needs at most 3 s; the rest is for slow machines.
NOTICE_WITHIN_MS = 10_000
NO_WORKER_WITHIN_MS = 5000
ROOT = Path(__file__).parents[2]
LONG_NAME = LONG_WORD[:80]
BEYOND_THE_SCREEN = """() => [...document.querySelectorAll("body *")]
  .filter((element) => element.checkVisibility()
    && element.getBoundingClientRect().right > innerWidth + 0.5
    && !element.closest("bdi, .bar-title, .sidebar-name, .sidebar-preview, .visually-hidden"))
  .map((element) => `${element.nodeName} ${element.className}`)"""
FOCUSED = "() => document.activeElement.id || document.activeElement.className"


@pytest.fixture(scope="module")
def fragile_stack(
    shared_model: ModelStub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A site whose processes these tests stop."""
    environment = HIGH_LIMITS | {"MODEL_URL": shared_model.endpoint("huggingface")}
    with Stack(tmp_path_factory.mktemp("fragile"), environment) as stack:
        stack.start()
        yield stack


def test_frozen_server_is_shown_until_it_responds(
    fragile_stack: Stack, new_visitor: NewVisitor, model_stub: ModelStub
) -> None:
    visitor = new_visitor(site=fragile_stack.url).start()
    visitor.send("hello")
    visitor.expect_turn(0, "done")
    [web] = fragile_stack.running("web")

    web.send(signal.SIGSTOP)
    try:
        expect(visitor.notices).to_contain_text(
            "The server doesn't respond.", timeout=NOTICE_WITHIN_MS
        )
        visitor.send("still there?")
        expect(visitor.turn(1)).to_contain_text("Waiting for the connection")
    finally:
        web.send(signal.SIGCONT)

    expect(visitor.notices).to_have_text("")
    visitor.expect_turn(1, "done", "You said: still there?")
    assert len(visitor.network.urls) == 1, "the connection was kept"


def test_silence_is_noticed_within_three_seconds() -> None:
    client = (ROOT / "chat" / "static" / "chat" / "client.js").read_text()
    [silence_ms] = re.findall(r"^const SILENCE_MS = (\d+);", client, re.MULTILINE)

    assert PING_INTERVAL_S * 1000 + int(silence_ms) < 3000


def test_lost_network_is_shown_until_it_is_back(chromium: Browser, stack: Stack) -> None:
    context = chromium.new_context()  # without the routed WebSocket, which stays online
    page = context.new_page()
    page.goto(stack.url)
    page.get_by_label("Your name").fill("Ada")
    page.keyboard.press("Enter")
    expect(page.locator(".greeting")).to_be_visible()

    context.set_offline(True)
    expect(page.locator("#notices")).to_contain_text("You are offline.", timeout=NOTICE_WITHIN_MS)
    context.set_offline(False)

    expect(page.locator("#notices")).to_have_text("")
    context.close()


def test_only_a_tab_in_use_pings_and_only_a_server_that_allows_it(show: Show) -> None:
    visitor = show("empty")
    page = visitor.page
    page.clock.install()

    def pings() -> int:
        visitor.server.received.clear()
        page.clock.run_for(5000)
        return visitor.server.received_types().count("session.ping")

    assert pings() == 0
    limits = LIMITS | {"ping_interval_s": 1.25}
    visitor.server.send(ready([]) | {"limits": limits})
    page.wait_for_function("() => true")
    assert pings() == 1, "one until it is answered"

    def is_quiet() -> bool:
        visitor.server.send({"type": "session.pong"})
        return pings() == 0 and pings() == 0  # the pong may arrive after the first count

    wait_for(is_quiet, "an unused tab to stop")
    page.mouse.move(5, 5)
    assert pings() == 1

    visitor.server.send({"type": "session.pong"})
    page.evaluate(
        """() => {
            Object.defineProperty(document, "hidden", { get: () => true });
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    visitor.server.send({"type": "session.pong"})
    assert pings() == 0


@pytest.mark.slow
def test_missing_worker_is_shown_until_one_is_back(
    fragile_stack: Stack, new_visitor: NewVisitor, model_stub: ModelStub
) -> None:
    visitor = new_visitor(site=fragile_stack.url).start()
    visitor.send("hello")
    visitor.expect_turn(0, "done")
    fragile_stack.running("worker")[0].kill()

    visitor.send("anyone?")
    expect(visitor.turn(1)).to_contain_text("No worker is running.", timeout=NO_WORKER_WITHIN_MS)
    fragile_stack.start_worker()

    visitor.expect_turn(1, "done", "You said: anyone?")


@pytest.mark.slow
def test_sixth_tab_says_that_too_many_are_open(new_visitor: NewVisitor) -> None:
    first = new_visitor().start()
    others = [new_visitor(beside=first).open() for _ in range(5)]
    late = others[-1]

    expect(late.notices).to_contain_text("Too many tabs of this chat are open.")
    expect(late.notices).not_to_contain_text("sending quickly")
    tried = len(late.network.urls)
    others[0].page.close()
    late.notices.get_by_role("button", name="Try now").click()

    expect(late.notices).to_have_text("")
    assert tried == 1, "the next attempt is 15 to 30 s later"
    expect(late.composer).to_be_focused()


def test_sending_the_name_three_times_starts_one_conversation(new_visitor: NewVisitor) -> None:
    visitor = new_visitor().open()
    held: list[Route] = []
    visitor.page.route("**/token", lambda route: held.append(route))
    visitor.page.locator("#name").fill("Ada")

    for _ in range(3):
        visitor.page.keyboard.press("Enter")
    expect(visitor.page.locator("html")).to_have_attribute("data-starting", "")
    for route in held:
        route.continue_()

    expect(visitor.composer).to_be_focused()
    expect(visitor.page.locator(".sidebar-entry")).to_have_count(1)
    assert len(held) == 1


def test_sending_the_name_before_the_script_is_loaded_starts_one_conversation(
    chromium: Browser, stack: Stack
) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.route("**/app.js", lambda route: None)
    page.goto(stack.url, wait_until="commit")
    page.get_by_label("Your name").fill("Ada")

    sent = page.evaluate(
        """() => {
            let sent = 0;
            addEventListener("submit", () => sent += 1);
            for (let times = 0; times < 3; times += 1) document.forms.welcome.requestSubmit();
            return sent;
        }"""
    )

    assert sent == 1
    context.close()


def test_restarting_twice_starts_one_conversation(show: Show) -> None:
    visitor = show("expired")
    held: list[Route] = []
    visitor.page.unroute("**/token")
    visitor.page.route("**/token", lambda route: held.append(route))

    with visitor.page.expect_request("**/token"):
        visitor.notices.get_by_role("button", name="New conversation").dblclick()
    expect(visitor.page.locator("html")).to_have_attribute("data-starting", "")
    wait_for(lambda: visitor.page.evaluate("true") and held, "the request")

    assert len(held) == 1


@pytest.mark.parametrize("name", ["M" * 30, LONG_NAME, "M" * 80])
def test_long_name_pushes_nothing_off_a_phone(new_visitor: NewVisitor, name: str) -> None:
    visitor = new_visitor(viewport={"width": 375, "height": 740}).start(name)
    assert visitor.page.evaluate(BEYOND_THE_SCREEN) == []

    visitor.send("M" * 80)
    visitor.expect_turn(0, "done")
    assert visitor.page.evaluate(BEYOND_THE_SCREEN) == []

    visitor.page.locator("#open-sidebar").click()
    assert visitor.page.evaluate(BEYOND_THE_SCREEN) == []

    visitor.page.locator(".sidebar-entry .icon-button").click()
    visitor.dialog.locator("summary").filter(has_text="Delete…").click()
    assert visitor.page.evaluate(BEYOND_THE_SCREEN) == []


def test_focus_is_in_the_message_box_after_a_stop(visitor: Visitor, model_stub: ModelStub) -> None:
    model_stub.script(Behaviour(text="one two", endless=True, piece_delay_s=0.2))
    visitor.send("count")
    visitor.expect_turn(0, "streaming", "one")

    visitor.page.get_by_role("button", name="Stop the reply").focus()
    visitor.page.keyboard.press("Enter")

    visitor.expect_turn(0, "done", "one")
    expect(visitor.composer).to_be_focused()


def test_focus_stays_in_the_list_after_a_deletion(visitor: Visitor) -> None:
    page = visitor.page
    visitor.send("hello")
    visitor.expect_turn(0, "done")
    visitor.click("New conversation")
    expect(page.locator(".sidebar-entry")).to_have_count(2)

    for name, left, focused in (
        ("hello", 1, "sidebar-open"),
        ("New conversation", 0, "name"),
    ):
        visitor.click(f"Options for {name}")
        visitor.dialog.locator("summary").filter(has_text="Delete…").click()
        visitor.dialog.get_by_role("button", name="Delete permanently").click()
        expect(page.locator(".sidebar-entry")).to_have_count(left)
        page.wait_for_function(f"() => ({FOCUSED})() === '{focused}'")


def test_missing_workers_are_not_named_by_servers_that_do_not_count_them(show: Show) -> None:
    visitor = show("empty")
    visitor.server.send(accepted(1, "Hello?"), queued(1, 0))

    expect(visitor.turn(0)).to_contain_text("Next in the queue")
