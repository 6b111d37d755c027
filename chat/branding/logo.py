"""The logo: an image file of one of a few types, within a limit of size.

A type is recognised by the file's content, never by its name. An SVG image is refused if it could
run a script or load something; the response that serves it forbids both once more.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from xml.etree import ElementTree  # nosec B405

# The largest request has 64 KiB, and the admin sends the logo together with all texts.
MAX_LOGO_BYTES = 40 * 1024
SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
)
SVG = "image/svg+xml"
SVG_ROOT = "{http://www.w3.org/2000/svg}svg"
# They run scripts, contain HTML, or change the attributes of others.
FORBIDDEN_ELEMENTS = frozenset(
    {"script", "foreignobject", "iframe", "object", "embed", "a", "animate", "set", "handler"}
)
# A reference to something in the same file, or an image that is part of it.
INTERNAL = re.compile(r"\s*(#|data:image/(png|jpeg|webp);base64,)", re.IGNORECASE)


@dataclass(frozen=True)
class Logo:
    """An image and its type."""

    content: bytes
    content_type: str

    @cached_property
    def digest(self) -> str:
        """The digest in the URL, so that browsers may keep the image."""
        return hashlib.sha256(self.content).hexdigest()[:16]


def parse_logo(content: bytes) -> Logo:
    """Return the logo in a file's content. Raises ValueError with a sentence."""
    if len(content) > MAX_LOGO_BYTES:
        raise ValueError(f"Must be an image of at most {MAX_LOGO_BYTES // 1024} KiB.")
    for signature, content_type in SIGNATURES:
        if signature.match(content):
            return Logo(content, content_type)
    _check_svg(content)
    return Logo(content, SVG)


def read_logo(path: str) -> Logo | None:
    """Return the logo in a file; None without a path. Raises ValueError with a sentence."""
    if not path:
        return None
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_LOGO_BYTES + 1)
    except OSError:
        raise ValueError("Must name a readable file.") from None
    return parse_logo(content)


def _check_svg(content: bytes) -> None:
    try:
        text = content.decode("utf-8-sig")
        # The parser could expand entities without limit.
        if re.search(r"<!(doctype|entity)", text, re.IGNORECASE):
            raise ValueError("Must be an SVG image without DOCTYPE.")
        root = ElementTree.fromstring(text)  # noqa: S314  # nosec B314
    except (UnicodeDecodeError, ElementTree.ParseError):
        root = None
    if root is None or root.tag != SVG_ROOT:
        raise ValueError("Must be a PNG, JPEG, WebP or SVG image.")
    for element in root.iter():
        _check_element(element)


def _check_element(element: ElementTree.Element) -> None:
    name = _local(element.tag)
    if name in FORBIDDEN_ELEMENTS or (name == "style" and "@import" in (element.text or "")):
        raise ValueError(f"Must be an SVG image without <{name}> elements.")
    for key, value in element.attrib.items():
        attribute = _local(key)
        if attribute.startswith("on"):
            raise ValueError(f"Must be an SVG image without scripts; it has {attribute}.")
        if attribute in {"href", "src"} and not INTERNAL.match(value):
            raise ValueError("Must be an SVG image that loads nothing; save it with its parts.")


def _local(name: object) -> str:
    return str(name).rpartition("}")[2].lower()
