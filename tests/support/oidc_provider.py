"""An OpenID Connect provider on loopback: Canaille, in a process of its own, with some users and a client.

`python -m tests.support.oidc_provider PORT CALLBACK` serves it until it is ended. Its users sign in at its
own pages; their groups are in the claim `groups`.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from werkzeug.serving import run_simple

from tests.support.processes import free_port

CLIENT_ID, CLIENT_SECRET = "mien-dashboard", "a-secret-of-the-client"
PASSWORD = "seven quiet red boats"
USERS = {"olga": ["mien-operators"], "arno": ["mien-analysts", "staff"], "nils": ["staff"]}
"""The groups of each user; `nils` has no role of Mien."""

_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Provider:
    """A running provider; `issuer` as its configuration names it."""

    issuer: str


@contextmanager
def running_provider(folder: Path, callback: str) -> Iterator[Provider]:
    """A provider whose client may return to `callback`."""
    port = free_port()
    command = [sys.executable, "-m", "tests.support.oidc_provider", str(port), callback]
    with (folder / "provider.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_until_ready(process, port, folder / "provider.log")
            yield Provider(f"http://localhost:{port}")
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(
                f"http://localhost:{port}/.well-known/openid-configuration", timeout=5
            ):
                return
        except (urllib.error.URLError, OSError):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)


def create_provider(port: int, callback: str) -> Any:
    """The provider as a WSGI application, with its users and the client in memory."""
    app = create_app(
        {
            "SECRET_KEY": secrets.token_hex(),
            "SERVER_NAME": f"localhost:{port}",
            "PREFERRED_URL_SCHEME": "http",
            # With HTMX its forms also validate each field in the background, soon after the last key. Such an
            # answer that arrives after that of the form resets the cookie, and with it the sign-in.
            "CANAILLE": {"DATABASE": "memory", "FORCE_HTTPS": False, "HTMX": False, "SMTP": None},
            "CANAILLE_OIDC": {"ENABLE_OIDC": True},
        },
    )
    with app.app_context():
        _add_users()
        _add_client(callback)
    return app


def _add_users() -> None:
    found = {
        name: models.User(
            user_name=name,
            family_name=name.capitalize(),
            formatted_name=name.capitalize(),
            emails=[f"{name}@shop.example"],
            password=PASSWORD,
        )
        for name in USERS
    }
    for user in found.values():
        Backend.instance.save(user)
    for group in sorted({group for groups in USERS.values() for group in groups}):
        members = [found[name] for name, groups in USERS.items() if group in groups]
        Backend.instance.save(models.Group(display_name=group, members=members))


def _add_client(callback: str) -> None:
    client = models.Client(
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        client_name="Mien",
        client_uri="http://127.0.0.1",
        redirect_uris=[callback],
        grant_types=["authorization_code"],
        response_types=["code"],
        scope=["openid", "email", "profile", "groups"],
        token_endpoint_auth_method="client_secret_basic",
    )
    Backend.instance.save(client)
    client.audience = [client]
    Backend.instance.save(client)


if __name__ == "__main__":
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    run_simple("localhost", int(sys.argv[1]), create_provider(int(sys.argv[1]), sys.argv[2]), threaded=True)
