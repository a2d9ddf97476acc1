"""The routes of signing in: the form and its answer, and the way to the provider and back.

The form is protected twice: it repeats the random value of a cookie that no other site can read, and a
request that another site has sent is refused by its headers.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from urllib.parse import parse_qs, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from common.access import Actor
from common.log_lines import one_line
from dashboard.open_id import CALLBACK, NotPermitted, OpenIdError, OpenIdProvider
from dashboard.session_reader import OPEN_ID, PASSWORD
from dashboard.sign_in import PATH, cookie_name
from dashboard.sign_in_page import SignInPage
from dashboard.throttle import Throttle
from mien.settings import Settings
from storage.engine import Database, open_database
from storage.errors import StorageError
from storage.sessions import record_refusal, start_session
from storage.users import PasswordFile, User

_MOST_BYTES = 16_384
_MOST_NAME = 200
_FORM_COOKIE = "mien_form"
_AT_ONCE = 2
"""Passwords that are verified at the same time: each takes 64 MiB of memory."""
_MOST_WAITING = 50

_log = logging.getLogger(__name__)


def create_routes(settings: Settings) -> list[Route]:
    """The routes for the settings; none where nobody has to sign in."""
    if not settings.requires_sign_in:
        return []
    sign_in = _SignIn(settings)
    base = sign_in.base
    return [
        Route(f"{base}{PATH}", sign_in.show, methods=["GET"]),
        Route(f"{base}{PATH}", sign_in.submit, methods=["POST"]),
        Route(f"{base}{PATH}/provider", sign_in.go_to_provider, methods=["GET"]),
        Route(f"{base}{CALLBACK}", sign_in.return_from_provider, methods=["GET"]),
    ]


def safe_target(target: str, base: str) -> str:
    """A page of this dashboard: `target` if it is one, else the first page."""
    parts = urlsplit(target) if target.isprintable() and "\\" not in target else None
    inside = parts and not parts.scheme and not parts.netloc and target.startswith(base)
    return target if inside and not target.startswith("//") else base


class _SignIn:
    """The state that the routes share: the password file, the provider, and failed attempts."""

    def __init__(self, settings: Settings) -> None:
        self.base = f"/{settings.dashboard_base_path}/" if settings.dashboard_base_path else "/"
        self._settings = settings
        self._host = urlsplit(settings.dashboard_url or "").netloc
        self._users = PasswordFile(settings.users_file) if settings.users_file else None
        self._provider = OpenIdProvider(settings) if settings.oidc_issuer else None
        self._throttle = Throttle()
        self._turns, self._waiting = asyncio.Semaphore(_AT_ONCE), 0

    async def show(self, request: Request) -> Response:
        """The sign-in page."""
        return self._page(request, safe_target(request.query_params.get("next", ""), self.base))

    async def submit(self, request: Request) -> Response:
        """Check a user name and a password."""
        fields = await _fields(request)
        target = safe_target(fields.get("next", ""), self.base)
        if self._users is None or not _is_own(request, fields.get("form", ""), self._host):
            return self._page(request, target, "This form has expired. Try again.", status=403)
        name, password = fields.get("name", "").strip().lower()[:_MOST_NAME], fields.get("password", "")
        address = _address(request)
        wait = self._throttle.begin(name, address)
        if wait > 0:
            answer = self._page(
                request, target, f"Too many attempts. Try again in {wait:.0f} s.", name, status=429
            )
            answer.headers["Retry-After"] = f"{wait + 1:.0f}"
            return answer
        if self._waiting >= _MOST_WAITING:
            return self._page(request, target, "Too many people sign in at once. Try again.", name, 503)
        try:
            user = await self._verify(self._users, name, password)
            if user is None:
                reason = "wrong user name or password"
                await run_in_threadpool(self._record_refusal, name, PASSWORD, reason, address)
                return self._page(request, target, "Wrong user name or password.", name, status=401)
            self._throttle.succeed(name, address)
            return await self._start(request, user.actor, PASSWORD, user.credential, target)
        except StorageError as error:
            return self._unavailable(request, target, error)

    async def _verify(self, users: PasswordFile, name: str, password: str) -> User | None:
        self._waiting += 1
        try:
            async with self._turns:
                return await run_in_threadpool(users.verify, name, password)
        finally:
            self._waiting -= 1

    async def go_to_provider(self, request: Request) -> Response:
        """Send the browser to the provider."""
        target = safe_target(request.query_params.get("next", ""), self.base)
        if self._provider is None:
            return RedirectResponse(f"{self.base}{PATH}", 303)
        try:
            return await self._provider.begin(request, target)
        except OpenIdError as error:
            _log.warning("sign-in: the provider %s: %s", self._settings.oidc_issuer, error)
            return self._page(request, target, "Your organisation's sign-in does not answer.", status=502)

    async def return_from_provider(self, request: Request) -> Response:
        """Start a session for a user whom the provider knows and whose claims give a role."""
        if self._provider is None:
            return RedirectResponse(f"{self.base}{PATH}", 303)
        address = _address(request)
        try:
            try:
                found = await self._provider.finish(request)
            except OpenIdError as error:
                reason = one_line(str(error))
                _log.warning("sign-in: the answer of %s is refused: %s", self._settings.oidc_issuer, reason)
                return self._page(request, self.base, "The sign-in was not completed. Try again.", status=403)
            except NotPermitted as error:
                await run_in_threadpool(self._record_refusal, error.name, OPEN_ID, str(error), address)
                problem = "Your account may not use this dashboard. Ask an operator for a role."
                return self._page(request, self.base, problem, status=403)
            target = safe_target(found.target, self.base)
            return await self._start(request, found.actor, OPEN_ID, "", target)
        except StorageError as error:
            return self._unavailable(request, self.base, error)

    async def _start(
        self, request: Request, actor: Actor, method: str, credential: str, target: str
    ) -> Response:
        token = await run_in_threadpool(self._start_session, actor, method, credential, _address(request))
        answer = RedirectResponse(target, 303)
        answer.set_cookie(
            cookie_name(self._settings),
            token,
            max_age=round(self._settings.session_hours * 3600),
            path=self.base.rstrip("/") or "/",
            secure=self._is_secure(request),
            httponly=True,
            samesite="lax",
        )
        answer.delete_cookie(_FORM_COOKIE, path=f"{self.base}{PATH}")
        return answer

    def _start_session(self, actor: Actor, method: str, credential: str, address: str) -> str:
        database = self._open()
        try:
            return start_session(database, actor, method, credential, self._settings.session_hours, address)
        finally:
            database.dispose()

    def _record_refusal(self, name: str, method: str, reason: str, address: str) -> None:
        database = self._open()
        try:
            record_refusal(database, name, method, reason, address)
        finally:
            database.dispose()

    def _open(self) -> Database:
        return open_database(self._settings.database)

    def _page(
        self, request: Request, target: str, problem: str = "", name: str = "", status: int = 200
    ) -> Response:
        token = request.cookies.get(_FORM_COOKIE) or secrets.token_urlsafe(32)
        page = SignInPage(
            self.base, target, token if self._users else None, self._provider is not None, problem, name
        )
        answer = HTMLResponse(page.html(), status, {"Cache-Control": "no-store"})
        answer.set_cookie(
            _FORM_COOKIE,
            token,
            path=f"{self.base}{PATH}",
            secure=self._is_secure(request),
            httponly=True,
            samesite="strict",
        )
        return answer

    def _unavailable(self, request: Request, target: str, error: StorageError) -> Response:
        _log.error("sign-in: %s", one_line(str(error)))
        problem = "Nobody can sign in at present: the database or the password file cannot be used."
        return self._page(request, target, problem, status=503)

    def _is_secure(self, request: Request) -> bool:
        """Whether browsers reach the dashboard over TLS, so that cookies never travel without it."""
        return (self._settings.dashboard_url or "").startswith("https:") or request.url.scheme == "https"


async def _fields(request: Request) -> dict[str, str]:
    """The fields of a form; empty for anything that is no small form."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {}
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > _MOST_BYTES:
                return {}
    except ClientDisconnect:
        return {}
    try:
        found = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}


def _is_own(request: Request, form_token: str, own_host: str) -> bool:
    """Whether our own page has sent a form; `own_host` is the host of `dashboard_url`, empty without one."""
    expected = request.cookies.get(_FORM_COOKIE, "")
    if not expected or not hmac.compare_digest(expected.encode(), form_token.encode()):
        return False
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc in {request.headers.get("host"), own_host or None}


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"
