"""Every language of the page has every sentence, with its placeholders."""

import json
import re
from gettext import GNUTranslations
from pathlib import Path

import pytest
from django.conf import settings

CHAT = Path(settings.BASE_DIR) / "chat"
LANGUAGES = [code for code, _ in settings.LANGUAGES if code != "en"]
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")


def catalogue(language: str, domain: str) -> dict[str, list[str]]:
    """Return the translations of each sentence, and of each plural one after a line end."""
    path = CHAT / "locale" / language / "LC_MESSAGES" / f"{domain}.mo"
    with path.open("rb") as file:
        entries = GNUTranslations(file)._catalog  # type: ignore[attr-defined]  # no public way
    found: dict[str, list[str]] = {}
    for key, text in entries.items():
        found.setdefault(f"{key[0]}\n" if isinstance(key, tuple) else key, []).append(text)
    return found


SOURCES = {
    "django": [*CHAT.rglob("*.py"), *CHAT.rglob("*.html")],
    "djangojs": (CHAT / "static").glob("*chat/*.js"),
}


@pytest.mark.parametrize("domain", ["django", "djangojs"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_translated(language: str, domain: str) -> None:
    translated = catalogue(language, domain)

    assert translated.keys() == catalogue("de", domain).keys()
    for sentence, texts in translated.items():
        if not sentence:  # the header
            continue
        assert all(texts), sentence
        if not sentence.endswith("\n"):  # a plural form may say the number in words
            assert set(PLACEHOLDER.findall(texts[0])) == set(PLACEHOLDER.findall(sentence))


def test_the_sentences_of_the_templates_are_in_the_catalogue() -> None:
    templates = [
        *(CHAT / "templates" / "chat").rglob("*.html"),
        *(CHAT / "templates").glob("*.html"),
    ]
    sentences = {
        sentence
        for template in templates
        for sentence in re.findall(r'{% translate "([^"]+)" %}', template.read_text())
    }
    assert len(sentences) > 10
    assert sentences <= catalogue("de", "django").keys()


@pytest.mark.parametrize("domain", SOURCES)
def test_every_sentence_is_used(domain: str) -> None:
    source = "".join(file.read_text() for file in SOURCES[domain])
    sentences = {key.removesuffix("\n") for key in catalogue("de", domain) if key}

    assert {
        each for each in sentences if json.dumps(each, ensure_ascii=False) not in source
    } == set()
