"""Every error code has its sentence on the page, and its advice for the operator."""

import re
from pathlib import Path

from chat.cli.doctor.conversation import ADVICE
from chat.errors import ErrorCode
from inference.model_errors import ModelError

ROOT = Path(__file__).parent.parent.parent
I18N = (ROOT / "chat" / "static" / "chat" / "i18n.js").read_text()
CODES = {code.value for code in ErrorCode}
PAGE_CODES = {"session.expired"}  # a frame, shown like an error


def test_the_page_has_a_sentence_for_every_code() -> None:
    assert (
        set(re.findall(r'^ *"([a-z_]+\.[a-z_]+)": gettext\(', I18N, re.MULTILINE))
        == CODES | PAGE_CODES
    )


def test_every_error_of_a_model_has_a_code() -> None:
    codes = {error.code for error in ModelError.__subclasses__()}
    assert codes == {code for code in CODES if code.startswith("model.")}


def test_the_doctor_has_advice_for_every_failed_reply() -> None:
    assert set(ADVICE) == {code for code in CODES if code.startswith(("model.", "reply."))}
