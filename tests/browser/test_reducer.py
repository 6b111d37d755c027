"""The page's state: frames in, turns out."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

from tests.browser.frames import (
    accepted,
    bot,
    completed,
    delta,
    earlier,
    failed,
    human,
    queued,
    ready,
    replaced,
    started,
    thinking,
)

Frame = dict[str, Any]

TURNS = """async (events) => {
  const { EMPTY, reduce } = await import("/chat/state.js");
  const { replyText, turns } = await import("/chat/turns.js");
  const open = { type: "local.connection", connection: { phase: "open" } };
  const state = [open, ...events].reduce(reduce, EMPTY);
  return turns(state).map(({ msg, phase, reply, partial, error, outOfContext }) => ({
    msg, phase, outOfContext, error: error?.code ?? null,
    text: reply || partial?.id ? replyText({ reply, partial }) : null,
  }));
}"""
REPLY_VERSIONS = """async (ready) => {
  const { EMPTY, reduce } = await import("/chat/state.js");
  const { turns } = await import("/chat/turns.js");
  const { withVersions } = await import("/chat/versions.js");
  const state = reduce(EMPTY, ready);
  return withVersions(turns(state), state)[0].replyPager?.count ?? null;
}"""
PLAY = 'async (steps) => (await import("/harness.js")).play(steps)'


def seen(page: Page, events: list[Frame]) -> list[Any]:
    """Return phase and shown text of each turn."""
    return [(turn["phase"], turn["text"]) for turn in page.evaluate(TURNS, events)]


def edited(seq: int, replaces: int) -> Frame:
    message = human(seq, "edited") | {"replaces": f"human-{replaces}"}
    return {"type": "message.accepted", "message": message}


ONE = ready([human(1, "hi")])
TABLE = {
    "an accepted message has no text yet": ([ONE], [("accepted", None)]),
    "a queue position is shown": ([ONE, queued(1, 2)], [("queued", None)]),
    "a loading model is shown": (
        [ONE, {"type": "model.loading", "reply_to": "human-1", "retry_in_s": 20, "receivedAt": 0}],
        [("loading", None)],
    ),
    "a model that thinks has no text yet": (
        [ONE, started(1), thinking(1), thinking(1)],
        [("streaming", "")],
    ),
    "text follows the thinking": (
        [ONE, started(1), thinking(1), delta(1, 0, "a"), thinking(1)],
        [("streaming", "a")],
    ),
    "another reply's thinking changes nothing": ([ONE, thinking(1)], [("accepted", None)]),
    "deltas are joined": (
        [ONE, started(1), delta(1, 0, "a"), delta(1, 1, "b")],
        [("streaming", "ab")],
    ),
    "a repeated delta counts once": (
        [ONE, started(1), delta(1, 0, "ab"), delta(1, 0, "ab")],
        [("streaming", "ab")],
    ),
    "an overlapping delta adds its new end": (
        [ONE, started(1), delta(1, 0, "ab"), delta(1, 1, "bc")],
        [("streaming", "abc")],
    ),
    "a delta after a gap is ignored until the resync": (
        [ONE, started(1), delta(1, 2, "c")],
        [("streaming", "")],
    ),
    "offsets count code points, not UTF-16 units": (
        [ONE, started(1), delta(1, 0, "👩‍🚀"), delta(1, 3, "!")],
        [("streaming", "👩‍🚀!")],
    ),
    "a new attempt drops the old text": (
        [ONE, started(1), delta(1, 0, "old"), started(1, 2), delta(1, 0, "new", 2)],
        [("streaming", "new")],
    ),
    "a delta of an old attempt is ignored": (
        [ONE, started(1), started(1, 2), delta(1, 0, "old", 1)],
        [("streaming", "")],
    ),
    "a queue position after the start drops a lost attempt's text": (
        [ONE, started(1), delta(1, 0, "lost"), queued(1, 0)],
        [("queued", None)],
    ),
    "a reply regenerated in another tab is queued": (
        [ONE, completed(bot(2, 1, "old")), queued(1, 0)],
        [("queued", "old")],
    ),
    "the committed reply replaces its deltas": (
        [ONE, started(1), delta(1, 0, "a"), completed(bot(2, 1, "all"))],
        [("done", "all")],
    ),
    "a failed reply keeps its partial text": (
        [ONE, started(1), failed(bot(2, 1, "par"))],
        [("failed", "par")],
    ),
    "frames after the commit change nothing": (
        [ONE, completed(bot(2, 1, "all")), started(1, 2), delta(1, 0, "x", 2)],
        [("done", "all")],
    ),
    "replies appear below their own messages": (
        [
            ready([human(1, "a"), human(2, "b")]),
            completed(bot(3, 1, "to a")),
            completed(bot(4, 2, "to b")),
        ],
        [("done", "to a"), ("done", "to b")],
    ),
    "a new reply replaces the old one": (
        [
            ready([human(1, "a"), bot(2, 1, "old")]),
            completed({**bot(3, 1, "new"), "replaces": "bot-2"}),
        ],
        [("done", "new")],
    ),
    "a reply regenerated in another tab is empty at first": (
        [ONE, completed(bot(2, 1, "old")), started(1, 3)],
        [("streaming", "")],
    ),
    "a reply continued in another tab keeps its text": (
        [ONE, completed(bot(2, 1, "old")), queued(1, 0), started(1, 3, "bot-2")],
        [("streaming", "old")],
    ),
    "a reply that goes on keeps its text after a reload": (
        [
            ready(
                [human(1, "hi"), bot(2, 1, "old")],
                reply={**started(1, 3, "bot-2"), "text": ""},
            )
        ],
        [("streaming", "old")],
    ),
    "a reply that goes on is longer": (
        [
            *(ONE, completed(bot(2, 1, "old")), started(1, 3, "bot-2")),
            *(delta(1, 0, "old", 3), delta(1, 3, " and new", 3)),
        ],
        [("streaming", "old and new")],
    ),
    "an operator's reply replaces the model's": (
        [
            ready([human(1, "a"), bot(2, 1, "old"), human(3, "b"), bot(4, 3, "b")]),
            completed({**bot(5, 1, "new"), "source": "operator", "replaces": "bot-2"}),
        ],
        [("done", "new"), ("done", "b")],
    ),
    "a good reply stays if the new one fails": (
        [
            ready([human(1, "a"), bot(2, 1, "old")]),
            queued(1, 0),
            failed({**bot(3, 1, ""), "replaced_by": "bot-2"}),
        ],
        [("done", "old")],
    ),
    "a failed attempt that is found after a resync does not wait any more": (
        [
            ready([human(1, "a"), bot(2, 1, "old")]),
            queued(1, 0),
            ready([{"id": "bot-3", "seq": 3, "replaced_by": "bot-2"}]),
        ],
        [("done", "old")],
    ),
    "a replaced reply sent without its text stays hidden": (
        [
            ready(
                [
                    human(1, "a"),
                    {"id": "bot-2", "seq": 2, "replaced_by": "bot-3"},
                    bot(3, 1, "new"),
                ]
            )
        ],
        [("done", "new")],
    ),
    "a streaming reply is there after a reload": (
        [
            ready([human(1, "a")], reply={"reply_to": "human-1", "id": "bot-1", "text": "so f"}),
            delta(1, 4, "ar"),
        ],
        [("streaming", "so far")],
    ),
    "an abandoned attempt is not shown": (
        [ONE, started(1), delta(1, 0, "lost"), ready([])],
        [("accepted", None)],
    ),
    "a server with a shorter history replaces the known one": (
        [ready([human(1, "a"), human(2, "b")]), ready([human(1, "a")], recovered=False)],
        [("accepted", None)],
    ),
    "a sent message is shown at once": (
        [ready([]), {"type": "local.sent", "id": "human-1", "msg": "hi"}],
        [("sending", None)],
    ),
    "a sent message becomes the accepted one": (
        [ready([]), {"type": "local.sent", "id": "human-1", "msg": "hi"}, accepted(1, "hi")],
        [("accepted", None)],
    ),
    "a permanent error rejects a message": (
        [
            ready([]),
            {"type": "local.sent", "id": "human-1", "msg": "hi"},
            {"type": "error", "code": "message.too_long", "detail": "…", "ref": "human-1"},
        ],
        [("rejected", None)],
    ),
    "a temporary error makes a message wait": (
        [
            ready([]),
            {"type": "local.sent", "id": "human-1", "msg": "hi"},
            {"type": "error", "code": "rate.limited", "detail": "…", "ref": "human-1"},
        ],
        [("waiting", None)],
    ),
    "without a connection a sent message waits": (
        [
            ready([]),
            {"type": "local.connection", "connection": {"phase": "waiting"}},
            {"type": "local.sent", "id": "human-1", "msg": "hi"},
        ],
        [("waiting", None)],
    ),
    "an earlier page is shown before the others": (
        [
            ready([human(3, "two"), bot(4, 3, "2")], has_earlier=True),
            earlier(3, [human(1, "one"), bot(2, 1, "1")]),
        ],
        [("done", "1"), ("done", "2")],
    ),
    "a page that ends elsewhere is dropped": (
        [ready([human(3, "two")], has_earlier=True), earlier(2, [human(1, "one")])],
        [("accepted", None)],
    ),
    "more new messages than a page replace the history": (
        [ready([human(1, "one")]), ready([human(9, "nine")], has_earlier=True)],
        [("accepted", None)],
    ),
    "a repeated message of an earlier page waits for its page": (
        [ready([human(9, "nine")], has_earlier=True), accepted(1, "one")],
        [("accepted", None)],
    ),
    "an edit replaces the questions after it": (
        [ready([human(1, "a"), bot(2, 1, "one"), human(3, "b")]), edited(4, 1)],
        [("accepted", None)],
    ),
    "an edit keeps a later reply to an earlier question": (
        [ready([human(1, "a"), human(2, "b"), bot(3, 1, "one"), bot(4, 2, "two")]), edited(5, 2)],
        [("done", "one"), ("accepted", None)],
    ),
    "an edit of a question that is not loaded replaces all that is": (
        [ready([human(5, "a"), bot(6, 5, "five")], has_earlier=True), edited(7, 1)],
        [("accepted", None)],
    ),
    "an edit of a question that was missed replaces nothing else": (
        [ready([human(1, "a"), bot(2, 1, "one")]), edited(5, 3)],
        [("done", "one"), ("accepted", None)],
    ),
    "an edit on its way hides what it replaces": (
        [
            ready([human(1, "a"), bot(2, 1, "one"), human(3, "b"), bot(4, 3, "two")]),
            {"type": "local.sent", "id": "human-5", "msg": "c", "replaces": "human-3"},
        ],
        [("done", "one"), ("sending", None)],
    ),
    "an unknown frame changes nothing": ([ONE, {"type": "later.invention"}], [("accepted", None)]),
}


@pytest.mark.parametrize("case", TABLE)
def test_frames_produce_the_expected_turns(modules: Page, case: str) -> None:
    events, expected = TABLE[case]

    assert seen(modules, events) == expected


def test_messages_out_of_context_are_marked(modules: Page) -> None:
    messages = [
        message
        for n in range(3)
        for message in (human(2 * n + 1, "q"), bot(2 * n + 2, 2 * n + 1, "a"))
    ]

    counts = [turn["outOfContext"] for turn in modules.evaluate(TURNS, [ready(messages)])]

    assert counts == [2, 1, 0]


@pytest.mark.parametrize(
    ("old", "count"),
    [
        (replaced(bot(2, 1, ""), "bot-3"), 2),
        (replaced(bot(2, 1, ""), "bot-3") | {"failed": True}, None),
        (bot(2, 1, "known"), 2),
        (bot(2, 1, ""), None),
    ],
)
def test_replies_without_an_answer_are_no_versions(
    modules: Page, old: Frame, count: int | None
) -> None:
    messages = [human(1, "q"), old, bot(3, 1, "a") | {"replaces": "bot-2"}]

    assert modules.evaluate(REPLY_VERSIONS, ready(messages)) == count


def test_a_reply_of_an_operator_is_a_version(modules: Page) -> None:
    by_hand = bot(3, 1, "b") | {"replaces": "bot-2", "source": "operator"}

    assert modules.evaluate(REPLY_VERSIONS, ready([human(1, "q"), bot(2, 1, "a"), by_hand])) == 2


def test_a_reply_that_goes_on_is_the_same_version(modules: Page) -> None:
    more = bot(3, 1, "a b") | {"replaces": "bot-2", "continues": "bot-2"}

    assert modules.evaluate(REPLY_VERSIONS, ready([human(1, "q"), bot(2, 1, "a"), more])) is None


FREQUENT = ["start"] * 4 + ["complete"] * 3 + ["regenerate", "continue"] + ["reconnect"] * 2
VERSIONS = ["exchange", "regenerate", "continue", "edit", "edit", "choose", "choose"]
RARE = ["fail", "cut", "sync", "scrollUp"]
STEPS = st.one_of(
    st.tuples(st.just("say"), st.text(min_size=1, max_size=4)),
    st.tuples(st.just("write"), st.text("ab€😀", min_size=1, max_size=5)),
    st.tuples(st.just("deliver"), st.integers(1, 4)),
    st.tuples(st.sampled_from(["lose", "repeat"]), st.integers(0, 5)),
    st.tuples(st.sampled_from(["rate", "rateElsewhere"]), st.integers(0, 5)),
    st.tuples(st.sampled_from(VERSIONS), st.integers(0, 5)),
    st.tuples(st.sampled_from(VERSIONS), st.integers(0, 5)),
    st.tuples(st.sampled_from(FREQUENT + RARE), st.none()),
    st.tuples(st.just("write"), st.just("…")),
)


RATED_WHILE_AWAY = [
    *(("say", "a"), ("deliver", 4), ("start", None), ("write", "b"), ("complete", None)),
    *(("deliver", 4), ("rateElsewhere", 0), ("deliver", 4), ("rate", 0), ("deliver", 4)),
    *(("cut", None), ("rateElsewhere", 1), ("rateElsewhere", 0), ("reconnect", None)),
]


@example(commands=RATED_WHILE_AWAY)
@settings(
    max_examples=200,
    deadline=None,
)
@given(commands=st.lists(STEPS, min_size=8, max_size=50))
def test_any_network_ends_in_what_a_new_tab_shows(modules: Page, commands: list[Any]) -> None:
    result = modules.evaluate(PLAY, [("exchange", None)] * 2 + commands)

    for moment in result["moments"]:
        assert moment["seen"] == moment["fresh"]
        assert [turn["msg"] for turn in moment["seen"]] == moment["stored"]
    assert result["accepted"] == result["sent"]
