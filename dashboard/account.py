"""Who is signed in, and the button that signs out; drawn on top of every page where users sign in."""

from __future__ import annotations

import streamlit as st

from common.access import Actor
from dashboard import formats, sign_in
from storage.errors import StorageError


def draw(actor: Actor) -> None:
    """Draw the name of the actor; a click shows role, sites and the button."""
    with (
        st.container(horizontal=True, horizontal_alignment="right", key="account"),
        st.popover(formats.as_plain_text(actor.name), icon=":material/account_circle:"),
    ):
        st.markdown(f"{str(actor.role).capitalize()} of {formats.as_plain_text(sites_text(actor))}")
        if st.button("Sign out", icon=":material/logout:"):
            _sign_out()


def sites_text(actor: Actor) -> str:
    """The sites that the actor may read, in words."""
    return "all sites" if actor.sites is None else ", ".join(sorted(actor.sites))


def _sign_out() -> None:
    try:
        sign_in.sign_out()
    except StorageError as error:
        st.error(f"You are still signed in: {formats.escape_markdown(str(error))}")
        return
    st.rerun()
