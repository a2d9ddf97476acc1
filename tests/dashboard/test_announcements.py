"""What was done is said for some seconds, so that the next drawing of the page does not hide it."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import camera_panels


def page() -> None:
    """A page with a button that does something."""
    import streamlit as st  # noqa: PLC0415 - runs as a script

    from dashboard import camera_panels  # noqa: PLC0415

    if st.button("Save"):
        camera_panels.announce("saved")
        st.rerun()
    camera_panels.show_announcement()


def test_what_was_done_is_said_until_some_seconds_have_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    at = AppTest.from_function(page).run()
    assert not at.toast
    at.button[0].click().run()
    assert [each.value for each in at.toast] == ["saved"]
    at.run()
    assert [each.value for each in at.toast] == ["saved"], "another drawing follows at once"
    monkeypatch.setattr(camera_panels, "_SHOWN_S", 0.0)
    at.run()
    assert not at.toast
