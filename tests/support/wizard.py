"""The page Cameras as an operator uses it: fields, buttons, and the wizard that adds a camera."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.support.browser import PATIENCE_MS, SETTLED


def click(page: Page, name: str) -> None:
    """Click a button, the last one of this name, while the page is not being drawn: that replaces buttons."""
    page.wait_for_selector(SETTLED, timeout=PATIENCE_MS)
    page.get_by_role("button", name=name, exact=True).last.click()


def fill(page: Page, label: str, text: str) -> None:
    """Enter a text in a field and leave it."""
    box = page.get_by_label(label, exact=True)
    box.fill(text)
    box.press("Tab")


def add_camera(page: Page, name: str, source: str, purpose: str) -> None:
    """Add a camera on the page Cameras, with its test; returns after the click that saves it."""
    click(page, "Add a camera")
    fill(page, "Name of the camera", name)
    fill(page, "Address of the camera", source)
    click(page, "Test the camera")
    page.get_by_text("640 x 480 pixels").wait_for()
    fill(page, "Purpose", purpose)
    click(page, "Save the camera")
