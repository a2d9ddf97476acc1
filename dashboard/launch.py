"""The command that starts the dashboard as a process of its own, where its settings allow that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from common import child
from mien.settings import Settings

APP = Path(__file__).with_name("app.py")
SERVER = Path(__file__).with_name("server.py")
LOOPBACK = "127.0.0.1"
ADDRESSES = (LOOPBACK, "localhost")
"""The addresses of this machine alone, as in `server.allowedHosts` of `.streamlit/config.toml`."""


def check(settings: Settings) -> list[str]:
    """Check whether the dashboard may be started with these settings; returns warnings.

    Without sign-in no other machine may reach it. With `dashboard_trusted_network` the operator guarantees
    this for any address, such as that of a container whose port is published on loopback alone.

    Raises ValueError, which names the settings, where it may not be started.
    """
    address, trusted = settings.dashboard_address, settings.dashboard_trusted_network
    open_to_others = address not in ADDRESSES and not trusted
    named = urlsplit(settings.dashboard_url or "").hostname
    behind_proxy = named is not None and named not in ADDRESSES and not trusted
    if (open_to_others or behind_proxy) and not settings.requires_sign_in:
        what = f"dashboard_address {address}" if open_to_others else f"dashboard_url {settings.dashboard_url}"
        raise ValueError(
            f"{what}: other machines may reach it, so users have to sign in: set users_file or oidc_issuer, "
            f"or use {LOOPBACK}"
        )
    _check_url(settings)
    if settings.oidc_issuer:
        for name in ("dashboard_url", "oidc_client_id"):
            if not getattr(settings, name):
                raise ValueError(f"{name}: is missing; oidc_issuer needs it")
    if open_to_others and not (settings.dashboard_url or "").startswith("https:"):
        return [
            "dashboard: passwords and figures travel without encryption; put a proxy with TLS before it, and "
            "set dashboard_url to its https:// address"
        ]
    return []


def _check_url(settings: Settings) -> None:
    """Raise ValueError where `dashboard_url` and the base path do not agree."""
    url, base_path = settings.dashboard_url, settings.dashboard_base_path
    if url and urlsplit(url).path.strip("/") != base_path:
        raise ValueError(
            f"dashboard_url {url}: its path is not dashboard_base_path, which is {base_path or 'empty'}; "
            "make them equal"
        )


def allowed_hosts(settings: Settings) -> list[str]:
    """The names by which browsers may address the dashboard; `*` is any name."""
    named = urlsplit(settings.dashboard_url or "").hostname
    if not settings.requires_sign_in and not named:
        return []
    if named:
        return [*ADDRESSES, named]
    # A page of another name has no session: cookies belong to the name for which they were set.
    return [*ADDRESSES] if settings.dashboard_address in ADDRESSES else ["*"]


def command(port: int, address: str = LOOPBACK, base_path: str = "", hosts: Sequence[str] = ()) -> list[str]:
    """The arguments that serve the dashboard on `address` and `port`, as a child of this process.

    `base_path` is the first part of every path, as a reverse proxy needs it; `hosts` are the names by which
    browsers may address the dashboard, none for those of this machine. Call `check` first.
    """
    return child.command(
        "streamlit",
        *("run", str(SERVER)),
        *("--server.address", address),
        *("--server.port", str(port)),
        *(("--server.baseUrlPath", base_path) if base_path else ()),
        *(part for host in hosts for part in ("--server.allowedHosts", host)),
    )
