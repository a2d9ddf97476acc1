"""The dashboard's pages without a browser, as Streamlit's AppTest runs them."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from dashboard.launch import APP

_PATIENCE_S = 600.0
"""Longer than a test may take: so pytest ends a run that hangs, and shows what each thread is doing."""


def new_page(page: str = "overview", **query: str | list[str]) -> AppTest:
    """A page with `query` in its address, which is not drawn yet."""
    at = AppTest.from_file(str(APP), default_timeout=_PATIENCE_S)
    for name, value in query.items():
        at.query_params[name] = value
    if page != "overview":
        at.switch_page(f"app_pages/{page}.py")
    return at


def open_page(page: str = "overview", **query: str | list[str]) -> AppTest:
    """A page that is drawn, without an exception."""
    at = new_page(page, **query).run()
    assert not at.exception
    return at
