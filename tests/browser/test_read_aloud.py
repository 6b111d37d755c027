"""Replies read aloud. The browser's voices are replaced: a test machine has none."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.frames import bot, human
from tests.browser.visitor import NewVisitor, ScriptedVisitor

VOICES = """(() => {
  const voices = ["en-GB", "de_DE", "ar-SA"].map((lang) => ({ lang, localService: true }));
  const remote = { lang: "fr-FR", localService: false };
  window.spoken = [];
  const speech = Object.assign(new EventTarget(), {
    voices: [],
    getVoices() { return this.voices; },
    speak(utterance) {
      spoken.push([utterance.text, utterance.lang]);
      window.finish = () => utterance.onend();
    },
    cancel() { window.cancelled = (window.cancelled ?? 0) + 1; },
  });
  Object.defineProperty(window, "speechSynthesis", { value: speech });
  window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
  window.findVoices = (all) => {
    speech.voices = all ? [remote, ...voices] : [remote];
    speech.dispatchEvent(new Event("voiceschanged"));
  };
})()"""
REPLY = """# The plan

First **one** thing. Then [another](https://example.org) one.

```python
print("not read")
```

- `last`
"""
GERMAN = "Das ist ein kurzer Satz und er ist nicht lang."


def spoken(page: Page) -> list[str]:
    texts: list[str] = page.evaluate("spoken.map(([text]) => text)")
    return texts


@pytest.fixture
def visitor(new_visitor: NewVisitor) -> ScriptedVisitor:
    """A conversation with two replies, in a browser whose voices are not loaded yet."""
    visitor = new_visitor(kind=ScriptedVisitor)
    assert isinstance(visitor, ScriptedVisitor)
    visitor.page.add_init_script(VOICES)
    visitor.start_with([human(1, "?"), bot(2, 1, REPLY), human(3, "?"), bot(4, 3, GERMAN)])
    expect(visitor.page.locator("reply-text h3")).to_be_visible()
    return visitor


def test_reply_is_read_by_a_voice_of_the_device(visitor: ScriptedVisitor) -> None:
    page = visitor.page
    buttons = page.get_by_role("button", name="Read aloud")
    page.wait_for_function("() => customElements.get('read-aloud')")
    page.evaluate("findVoices(false)")
    expect(buttons).to_have_count(0)
    page.evaluate("findVoices(true)")
    expect(buttons).to_have_count(2)

    buttons.first.click()
    assert spoken(page) == ["The plan"]
    page.evaluate("finish()")
    page.evaluate("finish()")
    assert page.evaluate("spoken.at(-1)") == ["Then another one.", "en-GB"]

    visitor.click("Pause reading")
    page.evaluate("finish()")  # Firefox reports the end of a cancelled sentence
    assert len(spoken(page)) == 3
    visitor.click("Continue reading")
    for _ in range(3):
        page.evaluate("finish()")
    assert spoken(page)[2:] == ["Then another one.", "Then another one.", "Code block", "last"]
    expect(buttons).to_have_count(2)


def test_one_reply_is_read_at_a_time_until_one_leaves(visitor: ScriptedVisitor) -> None:
    page = visitor.page
    page.wait_for_function("() => customElements.get('read-aloud')")
    page.evaluate("findVoices(true)")
    visitor.click("Read aloud")
    stop = page.get_by_role("button", name="Stop reading")
    expect(stop).to_have_count(1)

    page.get_by_role("button", name="Read aloud").click()
    expect(stop).to_have_count(1)
    assert page.evaluate("spoken.at(-1)") == [GERMAN, "de_DE"]
    stop.click()
    expect(stop).to_have_count(0)
    expect(page.get_by_role("button", name="Read aloud").last).to_be_focused()

    visitor.click("Read aloud")
    visitor.server.messages = []
    cancelled = page.evaluate("cancelled")
    visitor.click("New conversation")
    expect(page.locator(".greeting")).to_be_visible()
    assert page.evaluate("cancelled") > cancelled
    page.evaluate("finish()")
    assert spoken(page)[-1] == "The plan"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The cat is on the table, and it is not happy.", "en"),
        ("Der Hund ist nicht da, und die Katze auch nicht.", "de"),
        ("Le chat est sur la table et il ne veut pas descendre.", "fr"),
        ("El gato está en la mesa y no quiere bajar, pero es muy feliz.", "es"),
        ("O gato não quer descer da mesa, mas ele é muito feliz.", "pt"),
        ("Il gatto è sul tavolo, ma non vuole scendere e questo è strano.", "it"),
        ("猫はテーブルの上にいます。", "ja"),
        ("猫在桌子上。", "zh"),
        ("القطة على الطاولة مع English في الوسط.", "ar"),
        ("Кошка на столе.", "ru"),
        ("42", "xx"),
        ("Hm, ok", "xx"),
    ],
)
def test_language_of_a_text(modules: Page, text: str, language: str) -> None:
    found = modules.evaluate(
        """async (text) => (await import("/chat/text_language.js")).languageOf(text, "xx")""", text
    )

    assert found == language
