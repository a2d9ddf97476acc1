"""Signing in with a password, attacked by requests: forms of other sites, guesses, targets, dead sessions."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from common.access import LOCAL, Actor, Role
from dashboard import session_reader, sign_in_routes
from dashboard.gate import Gate
from dashboard.security_headers import SecurityHeaders
from dashboard.sign_in_routes import create_routes, safe_target
from dashboard.throttle import Throttle
from mien.settings import Settings
from storage.audit import read_audit
from storage.engine import open_database
from storage.users import PasswordFile, add_user, change_password, remove_user
from tests.support.asgi import Client

PASSWORD, OTHER = "three small green apples", "four large yellow pears"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database and a password file with one user, to be copied."""
    folder = tmp_path_factory.mktemp("sign-in")
    engine = open_database(f"sqlite:///{folder}/mien.db")
    add_user(engine, LOCAL, PasswordFile(folder / "users.json"), Actor("ben", Role.ANALYST), PASSWORD)
    engine.dispose()
    return folder


@pytest.fixture
def settings(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("mien.db", "users.json"):
        shutil.copy(template / name, tmp_path)
    monkeypatch.setattr(session_reader, "KEPT_S", 0.0)
    return Settings(
        database=f"sqlite:///{tmp_path}/mien.db",
        users_file=tmp_path / "users.json",
        dashboard_base_path="shop",
    )


@pytest.fixture
def engine(settings: Settings) -> Iterator[sa.Engine]:
    engine = open_database(settings.database)
    yield engine
    engine.dispose()


def file_of(settings: Settings) -> PasswordFile:
    assert settings.users_file
    return PasswordFile(settings.users_file)


async def page(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"inside {request.url.path}")


async def stream(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("inside")
    await socket.close()


@pytest.fixture
def client(settings: Settings, engine: sa.Engine) -> Client:
    app = Starlette(
        routes=[
            *create_routes(settings),
            WebSocketRoute("/{path:path}", stream),
            Route("/{path:path}", page),
        ],
        middleware=[Middleware(SecurityHeaders), Middleware(Gate, settings=settings)],
    )
    return Client(app, "http://127.0.0.1:8501")


def form(client: Client, **changed: str) -> dict[str, str]:
    """The fields of the sign-in form, as a browser would send them."""
    text = client.get("/shop/sign-in").text
    (token,) = re.findall(r'name="form" value="([^"]+)"', text)
    return {"form": token, "next": "/shop/trends?period=1 h", "name": "ben", "password": PASSWORD} | changed


def signed_in(client: Client) -> Client:
    assert client.post("/shop/sign-in", data=form(client)).status_code == 303
    return client


def actions(engine: sa.Engine) -> list[str]:
    return [entry.action for entry in read_audit(engine, LOCAL)]


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/shop/",
            "/shop/trends",
            "/shop/media/x.png",
            "/shop/_stcore/upload_file/1/2",
            "/shop/_stcore/metrics",
        ),
        *(
            "/shop/static/../media/x.png",
            "/",
            "/media/x",
            "/shop/sign-in-not",
            "/shop/_stcore/health/x",
            "/sign-in",
        ),
    ],
)
def test_without_a_session_nothing_is_answered(client: Client, path: str) -> None:
    assert client.get(path).status_code == 401
    assert client.post(path).status_code == 401
    answer = client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/shop/sign-in?next=")
    assert "inside" not in answer.text


def test_what_needs_no_session_is_answered(client: Client) -> None:
    for path in ("/shop/_stcore/health", "/shop/static/js/main.js"):
        assert client.get(path).text == f"inside {path}"


def test_without_a_session_no_connection_is_opened(client: Client) -> None:
    assert client.open_websocket("/shop/_stcore/stream") == ["websocket.close"]
    assert "websocket.accept" in signed_in(client).open_websocket("/shop/_stcore/stream")


def test_a_right_password_starts_a_session_and_shows_the_wanted_page(
    client: Client, engine: sa.Engine
) -> None:
    answer = client.post("/shop/sign-in", data=form(client))
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/shop/trends?period=1%20h"
    cookie = next(each for each in answer.headers.get_list("set-cookie") if "mien_session" in each)
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert "Path=/shop;" in cookie + ";"
    assert "Max-Age=28800" in cookie
    assert "secure" not in cookie.lower()
    assert client.get("/shop/trends").text == "inside /shop/trends"
    assert actions(engine) == ["sign-in", "user.add"]


def test_cookies_are_secure_where_browsers_use_https(settings: Settings, engine: sa.Engine) -> None:
    behind_proxy = settings.model_copy(update={"dashboard_url": "https://shop.example/shop"})
    app = Starlette(routes=create_routes(behind_proxy))
    client = Client(app, "https://shop.example")
    answer = client.post("/shop/sign-in", data=form(client))
    cookies = answer.headers.get_list("set-cookie")
    assert any("mien_session" in each and "secure" in each.lower() for each in cookies)


@pytest.mark.parametrize("changed", [{"password": OTHER}, {"name": "eve"}, {"password": ""}, {"name": ""}])
def test_a_wrong_password_is_refused_and_audited(
    client: Client, engine: sa.Engine, changed: dict[str, str]
) -> None:
    answer = client.post("/shop/sign-in", data=form(client, **changed))
    assert answer.status_code == 401
    assert "Wrong user name or password." in answer.text
    assert "mien_session" not in str(answer.headers)
    (refused, *_) = read_audit(engine, LOCAL)
    assert refused.action == "sign-in.refused"
    assert OTHER not in str(refused)
    assert client.get("/shop/").status_code == 401


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wait passes: on a busy machine one check of a password may take longer than the first wait."""
    monkeypatch.setattr(sign_in_routes, "Throttle", lambda: Throttle(lambda: 1000.0))


def test_guessing_is_slowed_down_even_for_the_right_password(
    stopped_clock: None, client: Client, engine: sa.Engine
) -> None:
    wrong = form(client, password=OTHER)
    answers = [client.post("/shop/sign-in", data=wrong).status_code for _ in range(8)]
    assert answers == [401] * 4 + [429] * 4
    answer = client.post("/shop/sign-in", data=wrong | {"password": PASSWORD})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert actions(engine).count("sign-in.refused") == answers.count(401)


@pytest.mark.parametrize(
    ("changed", "headers", "cookies"),
    [
        ({"form": ""}, {}, True),
        ({"form": "x" * 43}, {}, True),
        ({}, {}, False),
        ({}, {"Origin": "https://evil.example"}, True),
        ({}, {"Origin": "null"}, True),
        ({}, {"Origin": "http://127.0.0.1:9999"}, True),
        ({}, {"Sec-Fetch-Site": "cross-site"}, True),
        ({}, {"Sec-Fetch-Site": "same-site"}, True),
    ],
)
def test_a_form_of_another_site_is_refused(
    client: Client, engine: sa.Engine, changed: dict[str, str], headers: dict[str, str], cookies: bool
) -> None:
    fields = form(client, **changed)
    if not cookies:
        client.cookies.clear()
    answer = client.post("/shop/sign-in", data=fields, headers=headers)
    assert answer.status_code == 403
    assert "mien_session" not in str(answer.headers)
    assert actions(engine) == ["user.add"]


def test_our_own_form_is_accepted_with_its_headers(client: Client) -> None:
    headers = {"Origin": "http://127.0.0.1:8501", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/shop/sign-in", data=form(client), headers=headers).status_code == 303


def test_a_form_that_is_too_large_or_of_another_kind_is_refused(client: Client) -> None:
    fields = form(client)
    assert client.post("/shop/sign-in", data=fields | {"name": "x" * 20_000}).status_code == 403
    assert client.post("/shop/sign-in", json=fields).status_code == 403
    assert client.post("/shop/sign-in", data={str(n): "x" for n in range(50)} | fields).status_code == 403


@pytest.mark.parametrize(
    "target",
    [
        *(
            "https://evil.example/shop/",
            "//evil.example/shop/",
            "/\\evil.example",
            "\\/evil.example",
            "javascript:x",
        ),
        *(
            "/shop\t/",
            "/other/",
            "",
            "shop/",
            "/shop",
            "http:/shop/",
            "/shop/\n",
            "///evil.example",
            "/shop/\\x",
        ),
    ],
)
def test_nobody_is_led_to_another_site(target: str) -> None:
    assert safe_target(target, "/shop/") == "/shop/"


def test_the_wanted_page_is_kept() -> None:
    assert (
        safe_target("/shop/trends?period=7 days&site=A//B", "/shop/")
        == "/shop/trends?period=7 days&site=A//B"
    )
    assert safe_target("//evil.example", "/") == "/"


@pytest.mark.parametrize("change", ["removed", "password", "expired", "file", "other"])
def test_a_session_ends(
    client: Client, engine: sa.Engine, settings: Settings, change: str, tmp_path: Path
) -> None:
    signed_in(client)
    assert client.get("/shop/").status_code == 200
    file = file_of(settings)
    if change == "removed":
        remove_user(engine, LOCAL, file, "ben")
    elif change == "password":
        change_password(engine, LOCAL, file, "ben", OTHER)
    elif change == "expired":
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE dashboard_sessions SET expires_at = 1")
    elif change == "file":
        file.path.unlink()
    else:
        (name,) = [name for name in client.cookies if name.startswith("mien_session")]
        value = client.cookies[name]
        client.cookies.clear()
        client.cookies.set(name, value[:-1] + ("A" if value[-1] != "A" else "B"))
    assert client.get("/shop/").status_code == 401


def test_a_removed_user_who_is_added_again_has_to_sign_in_again(
    client: Client, engine: sa.Engine, settings: Settings
) -> None:
    signed_in(client)
    remove_user(engine, LOCAL, file_of(settings), "ben")
    add_user(engine, LOCAL, file_of(settings), Actor("ben", Role.OPERATOR), PASSWORD)
    assert client.get("/shop/").status_code == 401


def test_two_cookies_of_a_session_are_none(client: Client) -> None:
    signed_in(client)
    (name,) = [name for name in client.cookies if name.startswith("mien_session")]
    token = client.cookies[name]
    client.cookies.clear()
    assert client.get("/shop/", headers={"Cookie": f"{name}={token}"}).status_code == 200
    assert client.get("/shop/", headers={"Cookie": f"{name}={token}; {name}=x"}).status_code == 401


def test_a_damaged_file_or_a_missing_database_lets_nobody_in(
    client: Client, settings: Settings, engine: sa.Engine, tmp_path: Path
) -> None:
    signed_in(client)
    file_of(settings).path.write_text("{")
    assert client.get("/shop/").status_code == 503
    answer = client.post("/shop/sign-in", data=form(client))
    assert answer.status_code == 503
    assert "Nobody can sign in at present" in answer.text


def test_what_was_typed_is_text_on_the_page(client: Client) -> None:
    fields = form(client, name='"><script>alert(1)</script>', password=OTHER)
    answer = client.post("/shop/sign-in", data=fields | {"next": '/shop/"><script>'})
    assert "<script>" not in answer.text
    assert "no-store" in answer.headers["Cache-Control"]
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
