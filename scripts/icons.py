"""Make the PNG icons of the installed page from `chat/static/chat/favicon.svg`.

Run it after a change of the SVG: `.venv/bin/python scripts/icons.py`. Chromium renders them.
"""

import re
import shutil
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

CHAT = Path(__file__).parents[1] / "chat" / "static" / "chat"
SOURCE = CHAT / "favicon.svg"
ICONS = CHAT / "icons"
# Those that systems cut into a shape of their own have no round corners.
CORNERS = re.compile(r' rx="\d+"')


def main() -> None:
    """Write all icons."""
    svg = SOURCE.read_text()
    square = CORNERS.sub("", svg, count=1)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        for size in (192, 512):
            save(page, svg, size, f"icon-{size}.png")
        save(page, square, 512, "maskable-512.png")
        save(page, square, 180, "apple-touch-icon.png")
        browser.close()


def save(page: Page, svg: str, size: int, name: str) -> None:
    """Write one icon of `size` pixels."""
    page.set_viewport_size({"width": size, "height": size})
    page.set_content(f"<style>body {{ margin: 0 }} svg {{ display: block }}</style>{svg}")
    page.screenshot(path=ICONS / name, omit_background=True)


if __name__ == "__main__":
    main()
