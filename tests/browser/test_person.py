"""A person who answers instead of the model, as the visitor sees it."""

from typing import Any

from playwright.sync_api import expect

from tests.browser.frames import LIMITS, accepted, bot, completed, delta, human, ready, started
from tests.browser.visitor import NewVisitor, ScriptedVisitor

Frame = dict[str, Any]
JOINED = {"type": "operator.joined", "name": "Grace", "joined_at": "2030-01-01T00:00:00Z"}
LEFT = {"type": "operator.left", "name": "Grace"}


def scripted(new_visitor: NewVisitor, **options: Any) -> ScriptedVisitor:
    visitor = new_visitor(kind=ScriptedVisitor, **options)
    assert isinstance(visitor, ScriptedVisitor)
    return visitor


def by_grace(message: Frame) -> Frame:
    return {**message, "source": "operator", "operator": "Grace"}


def offering_support(messages: list[Frame]) -> Frame:
    return ready(messages) | {"limits": LIMITS | {"human_support": True}}


def test_a_person_joins_answers_and_leaves(new_visitor: NewVisitor) -> None:
    visitor = scripted(new_visitor)
    visitor.start_with([human(1, "hello"), bot(2, 1, "hi")])
    support = visitor.page.locator("#support")
    visitor.server.send(JOINED)
    expect(support).to_contain_text("Grace, a person, is here and answers instead of the model.")

    visitor.server.send({"type": "operator.typing", "name": "Grace"})
    expect(support).to_have_text("Grace is typing…")
    visitor.server.send(
        accepted(3, "are you real?"),
        started(3) | {"operator": "Grace"},
        delta(3, 0, "Yes"),
    )
    turn = visitor.expect_turn(1, "streaming", "Yes")
    expect(turn.locator(".person-name")).to_have_text("Grace (a person)")
    visitor.server.send(completed(by_grace(bot(4, 3, "Yes, I am."))))
    visitor.expect_turn(1, "done", "Yes, I am.")
    expect(turn.get_by_role("button", name="Regenerate")).to_have_count(0)
    expect(support).to_contain_text("is here")

    remark = by_grace(bot(5, 3, "One more thing.")) | {"reply_to": None}
    visitor.server.send(completed(remark))
    expect(visitor.turn(2).locator(".person-name")).to_have_text("Grace (a person)")
    expect(visitor.turn(2).locator(".human")).to_have_count(0)
    visitor.server.send(LEFT)
    expect(support).to_have_text("Grace has left. The model answers again.")


def test_messages_answered_together_show_one_answer(new_visitor: NewVisitor) -> None:
    visitor = scripted(new_visitor)
    together = by_grace(bot(3, 1, "")) | {"finish_reason": "answered_together"}
    answer = by_grace(bot(4, 2, "To both"))
    visitor.start_with([human(1, "one"), human(2, "two"), together, answer])
    visitor.expect_turn(0, "done")
    expect(visitor.turn(0).locator(".bot")).to_have_count(0)
    visitor.expect_turn(1, "done", "To both")


def test_a_visitor_asks_for_a_person_and_withdraws_it(new_visitor: NewVisitor) -> None:
    visitor = scripted(new_visitor, locale="de")
    visitor.start_with([human(1, "hello"), bot(2, 1, "hi")])
    support = visitor.page.locator("#support")
    expect(support).to_have_count(0)
    visitor.server.send(offering_support([]))
    visitor.click("Nach einem Menschen fragen")
    visitor.server.send({"type": "operator.requested", "requested": True, "available": False})
    expect(support).to_contain_text("Gerade ist niemand verfügbar")
    visitor.click("Anfrage zurückziehen")
    visitor.server.send({"type": "operator.requested", "requested": False, "available": False})
    expect(visitor.page.get_by_role("button", name="Nach einem Menschen fragen")).to_be_visible()
    wanted = [f["wanted"] for f in visitor.server.received if f["type"] == "operator.request"]
    assert wanted == [True, False]


def test_typing_is_sent_only_while_a_person_is_there(new_visitor: NewVisitor) -> None:
    visitor = scripted(new_visitor)
    visitor.start_with([human(1, "hello"), bot(2, 1, "hi")])
    visitor.composer.press_sequentially("nobody sees this")
    visitor.server.send(JOINED)
    expect(visitor.page.locator("#support")).to_contain_text("Grace")
    assert "message.typing" not in visitor.server.received_types()
    visitor.composer.press_sequentially(" but this")
    visitor.server.send(LEFT)
    expect(visitor.page.locator("#support")).to_contain_text("has left")
    assert visitor.server.received_types().count("message.typing") == 1
