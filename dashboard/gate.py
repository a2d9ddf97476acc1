"""The gate before the dashboard: without a session, nothing but the sign-in page and its parts is answered.

It is ASGI middleware before all of Streamlit, so that the pages, the connection over which they are drawn,
media files, uploads and measurements are behind it alike.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, RedirectResponse

from common.access import Actor
from dashboard.security_headers import Application, Receive, Send
from dashboard.sign_in import PATH, cookie_name, session_reader
from mien.settings import Settings
from storage.errors import StorageError

_OPEN_PATHS = ("_stcore/health",)
"""Paths that are answered without a session: whether the process answers."""

_OPEN_FOLDERS = ("static/",)
"""Folders that are answered without a session: Streamlit's own program for the browser."""


class Gate:
    """ASGI middleware that answers requests with a session, and sends others to the sign-in page."""

    def __init__(self, app: Application, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._cookie = cookie_name(settings)
        self._base = f"/{settings.dashboard_base_path}/" if settings.dashboard_base_path else "/"

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "lifespan" or self._is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            actor = await run_in_threadpool(self._find, cookie(scope, self._cookie))
        except StorageError:
            await self._refuse(scope, receive, send, 503)
            return
        if actor is None:
            await self._refuse(scope, receive, send, 401)
        else:
            await self._app(scope, receive, send)

    def _find(self, token: str | None) -> Actor | None:
        return session_reader(self._settings).find(token)

    def _is_open(self, path: str) -> bool:
        if ".." in path or not path.startswith(self._base):
            return False
        below = path.removeprefix(self._base)
        return (
            below in _OPEN_PATHS
            or below.startswith(_OPEN_FOLDERS)
            or below == PATH
            or below.startswith(f"{PATH}/")
        )

    async def _refuse(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send, status: int
    ) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "sign in first"})
            return
        if status == 503:
            text = "The database is unavailable, so nobody can be recognised. Reload this page in a minute."
            response: Any = PlainTextResponse(text, 503, {"Retry-After": "10"})
        elif scope["method"] == "GET" and _wants_page(scope):
            query = scope.get("query_string", b"").decode("latin-1")
            target = quote(scope["path"] + (f"?{query}" if query else ""), safe="")
            response = RedirectResponse(f"{self._base}{PATH}?next={target}", 303)
            response.headers["Cache-Control"] = "no-store"
        else:
            response = PlainTextResponse("Sign in first.", 401)
        await response(scope, receive, send)


def cookie(scope: MutableMapping[str, Any], name: str) -> str | None:
    """The value of a cookie of a request, None without one; of two with the same name, none is right."""
    found = []
    for key, value in scope["headers"]:
        if key == b"cookie":
            for part in value.decode("latin-1").split(";"):
                label, mark, content = part.strip().partition("=")
                if mark and label == name:
                    found.append(content)
    return found[0] if len(found) == 1 else None


def _wants_page(scope: MutableMapping[str, Any]) -> bool:
    """Whether a browser asks for a page, not for a part of one."""
    accepted = [value for key, value in scope["headers"] if key == b"accept"]
    return any(b"text/html" in value for value in accepted)
