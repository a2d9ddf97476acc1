"""The server of the dashboard: the pages of `app.py` behind the gate, with security headers and sign-in.

Started by `streamlit run`.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from dashboard import launch
from dashboard.gate import Gate
from dashboard.security_headers import SecurityHeaders
from dashboard.sign_in_routes import create_routes
from mien.settings import Settings


def create_middleware(settings: Settings) -> list[Middleware]:
    """The middleware for the settings; the gate is there where users sign in.

    Raises ValueError where `dashboard.launch.check` does.
    """
    launch.check(settings)
    middleware = [Middleware(SecurityHeaders)]
    if settings.requires_sign_in:
        middleware.append(Middleware(Gate, settings=settings))
    return middleware


_settings = Settings()
# `streamlit run` recognises an application by this very statement, in the text of the file.
app = st.App(
    Path(__file__).with_name("app.py"),
    routes=create_routes(_settings),
    middleware=create_middleware(_settings),
)
