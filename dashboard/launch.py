"""How the dashboard is started: as a process of its own, beside the one that reads cameras."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path

APP = Path(__file__).with_name("app.py")
LOOPBACK = "127.0.0.1"


def command(port: int, address: str = LOOPBACK) -> list[str]:
    """The arguments that serve the dashboard on `address` and `port`.

    Raises ValueError for an address that other machines can reach: the dashboard has no sign-in.
    """
    if address != "localhost" and not ipaddress.ip_address(address).is_loopback:
        raise ValueError(f"dashboard address {address}: use {LOOPBACK}, the dashboard has no sign-in")
    return [
        *(sys.executable, "-m", "streamlit", "run", str(APP)),
        *("--server.address", address),
        *("--server.port", str(port)),
    ]


def environment(database_url: str) -> dict[str, str]:
    """What the process needs in its environment, to be added to the caller's own."""
    return {"MIEN_DATABASE": database_url}
