"""The pages for errors of the site."""

from playwright.sync_api import expect

from tests.browser.visitor import Show


def test_error_is_in_the_middle_and_leads_back_to_the_chat(show: Show) -> None:
    page = show("not_found", viewport={"width": 1440, "height": 900}).page
    box = page.get_by_role("heading").bounding_box()
    assert box is not None
    assert abs(box["x"] + box["width"] / 2 - 720) < 10

    page.get_by_role("link", name="Back to the chat").click()

    expect(page.locator("#name")).to_be_focused()
