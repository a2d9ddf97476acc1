"""Users and roles: the users of the password file, added, removed and given new passwords by operators."""

from __future__ import annotations

import streamlit as st

from common.access import Actor, Role
from dashboard import account, formats
from dashboard.database_change import make_change
from dashboard.page import View
from storage.users import (
    LEAST_PASSWORD,
    MOST_PASSWORD,
    PasswordFile,
    add_user,
    change_password,
    list_users,
    remove_user,
)


def draw(view: View) -> None:
    """How users sign in, and the users of the password file."""
    view.actor.require_operator("list users")
    settings = view.settings
    if settings.oidc_issuer:
        operators, analysts = (", ".join(each) for each in (settings.oidc_operators, settings.oidc_analysts))
        st.info(
            f"Users sign in at {formats.as_plain_text(settings.oidc_issuer)}. Its claim "
            f"{formats.as_plain_text(settings.oidc_role_claim)} decides: "
            f"{formats.as_plain_text(operators)} are operators, {formats.as_plain_text(analysts)} analysts."
        )
    if settings.users_file is None:
        if not settings.oidc_issuer:
            st.info(
                "Nobody signs in: the dashboard can be opened on this machine alone, by everybody who uses "
                "it. Set `users_file` and run `mien users add NAME --role operator` for sign-in."
            )
        return
    file = PasswordFile(settings.users_file)
    _draw_users(view, file)
    _draw_form(view, file)


def _draw_users(view: View, file: PasswordFile) -> None:
    for user in list_users(view.actor, file):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"**{formats.as_plain_text(user.name)}** &nbsp; "
                f":small[{user.role} of {formats.as_plain_text(account.sites_text(user))}]",
                width="stretch",
            )
            with st.popover("New password", icon=":material/key:"):
                _draw_new_password(view, file, user.name)
            removed = st.button(
                "Remove",
                key=f"remove-user-{user.name}",
                icon=":material/delete:",
                help="The user's sessions end within seconds.",
            )
        if removed:
            _remove(view, file, user.name)


def _draw_new_password(view: View, file: PasswordFile, name: str) -> None:
    with st.form(f"password-{name}", clear_on_submit=True, border=False):
        password = _password_input(f"password-of-{name}")
        submitted = st.form_submit_button("Change")
    if submitted and make_change(
        view.settings, lambda database, actor: change_password(database, actor, file, name, password)
    ):
        st.success("Changed; the user's sessions have ended.")


def _draw_form(view: View, file: PasswordFile) -> None:
    sites = sorted({camera.site for camera in view.status.cameras if camera.site})
    with st.form("user", clear_on_submit=False):
        st.markdown("**Add a user**")
        name = st.text_input("User name", max_chars=64, autocomplete="off")
        password = _password_input("password-of-new")
        role = st.selectbox("Role", [str(role) for role in Role])
        chosen = st.multiselect(
            "Sites of an analyst", sites, placeholder="All", help="Operators read all sites."
        )
        if st.form_submit_button("Add", type="primary"):
            new = Actor(name.strip(), Role(role), frozenset(chosen) if chosen else None)
            if make_change(
                view.settings, lambda database, actor: add_user(database, actor, file, new, password)
            ):
                st.rerun()


def _password_input(key: str) -> str:
    return st.text_input(
        "Password",
        type="password",
        key=key,
        max_chars=MOST_PASSWORD,
        autocomplete="new-password",
        help=f"At least {LEAST_PASSWORD} characters; several words are easy to remember.",
    )


def _remove(view: View, file: PasswordFile, name: str) -> None:
    if make_change(view.settings, lambda database, actor: remove_user(database, actor, file, name)):
        st.rerun()
