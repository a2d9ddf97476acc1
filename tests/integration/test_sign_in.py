"""Sign-in in a real browser: a password file and an OpenID Connect provider, behind nginx with TLS.

nginx runs the configuration that docs/operations.md shows; the provider is Canaille, in a process of its own.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, BrowserContext, Page, expect

from bus.messages import MINUTE_US
from common.access import LOCAL, Actor, Role
from common.clock import wall_clock_us
from storage.audit import read_audit
from storage.day_partitions import DAY_US
from storage.engine import open_database
from storage.registry import CameraRegistry, CameraRow
from storage.users import PasswordFile, add_user
from storage.writer import Writer
from tests.support import oidc_provider
from tests.support.browser import PATIENCE_MS, chromium
from tests.support.databases import results, visit
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, running_provider
from tests.support.postgres import make_authority
from tests.support.processes import free_port, running

pytestmark = pytest.mark.integration

PASSWORD = "three small green apples"
DOCS = Path(__file__).parents[2] / "docs" / "operations.md"


@dataclass(frozen=True)
class Site:
    """A dashboard behind nginx: its address for browsers, its port behind the proxy, and its database."""

    address: str
    port: int
    engine: sa.Engine


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with chromium() as browser:
        yield browser
    expect.set_options(timeout=5000)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    engine = open_database(f"sqlite:///{folder}/mien.db")
    registry = CameraRegistry(engine)
    for camera_id, name, place in (("quay", "Quay 1", "Harbour"), ("gate", "Gate 7", "Airport")):
        registry.add(LOCAL, CameraRow(camera_id, "demo://till", name, place))
    file = PasswordFile(folder / "users.json")
    add_user(engine, LOCAL, file, Actor("ben", Role.ANALYST, frozenset({"Harbour"})), PASSWORD)
    port, behind = free_port(), free_port()
    address = f"https://127.0.0.1:{port}/mien"
    with running_provider(folder, f"{address}/sign-in/callback") as provider:
        variables = {
            "MIEN_DATABASE": f"sqlite:///{folder}/mien.db",
            "MIEN_DASHBOARD_PORT": str(behind),
            "MIEN_DASHBOARD_BASE_PATH": "mien",
            "MIEN_DASHBOARD_URL": address,
            "MIEN_USERS_FILE": str(folder / "users.json"),
            "MIEN_OIDC_ISSUER": provider.issuer,
            "MIEN_OIDC_CLIENT_ID": CLIENT_ID,
            "MIEN_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "MIEN_OIDC_SCOPES": "openid email profile groups",
        }
        with running(folder, "dashboard", variables=variables) as process, nginx(folder, port, behind):
            wait_until_ready(process, behind)
            yield Site(address, behind, engine)
    engine.dispose()


@contextmanager
def nginx(folder: Path, port: int, behind: int) -> Iterator[None]:
    """nginx with the documented configuration, on another port and with a certificate of this test."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("nginx is not installed")
        pytest.skip("nginx is not installed")
    certificate = make_authority(folder / "proxy")
    block = re.split(r"<!-- /?nginx.*-->", DOCS.read_text())[1]
    for old, new in {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "http://127.0.0.1:8501": f"http://127.0.0.1:{behind}",
        "/etc/nginx/shop.crt": str(certificate),
        "/etc/nginx/shop.key": str(certificate.with_suffix(".key")),
    }.items():
        assert old in block
        block = block.replace(old, new)
    paths = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\npid {folder}/nginx.pid;\nworker_processes 1;\nerror_log {folder}/nginx.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{paths}{block}\n}}\n"
    )
    process = subprocess.Popen(
        [program, "-p", str(folder), "-e", str(folder / "nginx.log"), "-c", str(folder / "nginx.conf")]
    )
    try:
        yield
        assert process.poll() is None, (folder / "nginx.log").read_text()
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/mien/_stcore/health")
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            assert process.poll() is None, process.stdout and process.stdout.read()
        finally:
            connection.close()
        assert time.monotonic() < deadline, "the dashboard does not respond"
        time.sleep(0.1)


@contextmanager
def opened(browser: Browser) -> Iterator[tuple[BrowserContext, Page]]:
    context = browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    try:
        yield context, context.new_page()
    finally:
        context.close()


def sign_in_with_password(page: Page, site: Site, name: str = "ben", path: str = "/") -> None:
    page.goto(f"{site.address}{path}")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def sign_in_at_provider(page: Page, site: Site, name: str, path: str = "/") -> None:
    page.goto(f"{site.address}{path}")
    page.get_by_role("link", name="Sign in with your organisation").click()
    page.locator("input[name=login]").fill(name)
    page.locator("button[type=submit]").first.click()
    page.locator("input[name=password]").fill(oidc_provider.PASSWORD)
    page.locator("button[type=submit]").first.click()


def actions(site: Site) -> list[tuple[str, str]]:
    return [(entry.action, entry.subject) for entry in read_audit(site.engine, LOCAL)]


def test_an_analyst_signs_in_with_a_password_sees_one_site_and_signs_out(
    browser: Browser, site: Site
) -> None:
    with opened(browser) as (context, page):
        page.goto(f"{site.address}/cameras?period=7+days")
        expect(page).to_have_url(re.compile(r"/mien/sign-in\?next="))
        page.get_by_label("User name").fill("ben")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_have_text("Wrong user name or password.")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(re.compile(r"/mien/cameras\?period=7"))
        expect(page.get_by_text("Quay 1").first).to_be_visible()
        assert "Gate 7" not in page.content()
        (cookie,) = [each for each in context.cookies() if each["name"].startswith("mien_session")]
        assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")
        assert cookie["path"] == "/mien"
        page.get_by_test_id("stPopover").get_by_role("button").first.click()
        expect(page.get_by_text("Analyst of Harbour")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_text("Signed out", exact=True)).to_be_visible()
        expect(page.get_by_text("Quay 1").filter(visible=True)).to_have_count(0)
        context.add_cookies([cookie])
        assert context.request.get(f"{site.address}/_stcore/metrics").status == 401, (
            "at once, not seconds later"
        )
        page.goto(f"{site.address}/cameras")
        expect(page.get_by_label("User name")).to_be_visible()
    assert [action for action, _ in actions(site)][:3] == ["sign-out", "sign-in", "sign-in.refused"]


def test_an_open_page_ends_with_its_session(browser: Browser, site: Site) -> None:
    with opened(browser) as (_, page):
        sign_in_with_password(page, site, path="/overview")
        expect(page.get_by_test_id("stPopover")).to_be_visible()
        with site.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM dashboard_sessions")
        expect(page.get_by_text("Signed out", exact=True)).to_be_visible()


def test_operators_and_analysts_sign_in_at_a_provider_and_others_are_refused(
    browser: Browser, site: Site
) -> None:
    with opened(browser) as (_, page):
        sign_in_at_provider(page, site, "olga", "/settings?section=Audit+log")
        expect(page).to_have_url(re.compile(r"/mien/settings"))
        expect(page.get_by_text("Users and roles")).to_be_visible()
        expect(page.get_by_text("sign-in", exact=True).first).to_be_visible()
    with opened(browser) as (_, page):
        sign_in_at_provider(page, site, "arno", "/settings?section=Audit+log")
        expect(page.get_by_text("Retention and k")).to_be_visible()
        assert "Users and roles" not in page.inner_text("body")
        assert "sign-in" not in page.inner_text("body")
    with opened(browser) as (context, page):
        sign_in_at_provider(page, site, "nils")
        expect(page.get_by_role("alert")).to_contain_text("Your account may not use this dashboard")
        assert not [each for each in context.cookies() if each["name"].startswith("mien_session")]
        page.goto(f"{site.address}/sign-in/callback?code=stolen&state=guessed")
        expect(page.get_by_role("alert")).to_contain_text("The sign-in was not completed")
    refused = next(entry for entry in read_audit(site.engine, LOCAL) if entry.action == "sign-in.refused")
    assert "nils" in refused.subject
    assert "the claim groups names no role" in refused.details


def choose_k(page: Page, k: int, effect: str) -> None:
    """Choose k on the page Settings, and say yes to the question that names the effect."""
    field = page.get_by_role("spinbutton", name="Hide groups of fewer visits than (k)")
    field.fill(str(k))
    field.press("Tab")
    page.get_by_role("button", name="Change...").click()
    expect(page.get_by_text(effect)).to_be_visible()
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("button", name="Apply")).to_have_count(0)


def test_a_larger_k_that_an_operator_chooses_applies_to_the_open_page_of_another_user(
    browser: Browser, site: Site
) -> None:
    now = wall_clock_us()
    start = now - now % MINUTE_US - 2 * DAY_US
    visits = [visit(f"v{each}", closed=True, camera="quay", first_seen=start + each) for each in range(12)]
    Writer(site.engine).write(results(visits), {})
    with opened(browser) as (_, bens), opened(browser) as (_, olgas):
        sign_in_with_password(bens, site, path="/?period=7+days")
        shown = bens.get_by_test_id("stMetricValue").first
        expect(shown).to_have_text("12")
        sign_in_at_provider(olgas, site, "olga", "/settings")
        choose_k(olgas, 20, "Groups of fewer than 20 visits (now 10) are hidden")
        expect(olgas.get_by_text("chosen by an operator; configured is 10")).to_be_visible()
        expect(shown).to_have_text("hidden")
        choose_k(olgas, 10, "Groups of 10 to 19 visits are shown again")
        expect(shown).to_have_text("12")
    changes = read_audit(site.engine, LOCAL, actions=["protection.change"])
    assert [each.details for each in changes] == [
        "from: 20, to: 10, configured: 10",
        "from: 10, to: 20, configured: 10",
    ]
    assert {each.subject for each in changes} == {"suppress_below"}
    assert "olga" in changes[0].actor


def test_nothing_is_reached_without_a_session_not_even_behind_the_proxy(site: Site) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        "Origin": site.address.removesuffix("/mien"),
    }
    port = int(site.address.rsplit(":", 1)[1].removesuffix("/mien"))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for connection in (
        http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=context),
        http.client.HTTPConnection("127.0.0.1", site.port, timeout=60),
    ):
        for path, headers, status in (
            ("/mien/_stcore/stream", upgrade, 403),
            ("/mien/media/a.png", {}, 401),
            ("/mien/_stcore/metrics", {}, 401),
            ("/mien/", {}, 401),
            ("/mien/_stcore/health", {}, 200),
        ):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status, path
        connection.close()
