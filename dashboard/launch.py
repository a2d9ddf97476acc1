"""How the dashboard is started: as a process of its own, beside the one that reads cameras."""

from __future__ import annotations

import sys
from pathlib import Path

APP = Path(__file__).with_name("app.py")
LOOPBACK = "127.0.0.1"
ADDRESSES = (LOOPBACK, "localhost")
"""Where it may be served: the names that `server.allowedHosts` in its configuration lets in."""


def command(port: int, address: str = LOOPBACK, trusted_network: bool = False) -> list[str]:
    """The arguments that serve the dashboard on `address` and `port`.

    The dashboard has no sign-in, so no other machine may reach it. `trusted_network` says that none can: the
    address is that of a container, say, whose port is published on loopback alone.

    Raises ValueError for an address that other machines may reach.
    """
    if address not in ADDRESSES and not trusted_network:
        raise ValueError(f"dashboard address {address}: use {LOOPBACK}, the dashboard has no sign-in")
    return [
        *(sys.executable, "-m", "streamlit", "run", str(APP)),
        *("--server.address", address),
        *("--server.port", str(port)),
    ]
