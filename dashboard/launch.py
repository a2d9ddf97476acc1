"""The command that starts the dashboard as a process of its own."""

from __future__ import annotations

from pathlib import Path

from common import child

APP = Path(__file__).with_name("app.py")
SERVER = Path(__file__).with_name("server.py")
LOOPBACK = "127.0.0.1"
ADDRESSES = (LOOPBACK, "localhost")
"""The addresses of this machine alone, as in `server.allowedHosts` of `.streamlit/config.toml`."""


def command(
    port: int, address: str = LOOPBACK, trusted_network: bool = False, base_path: str = ""
) -> list[str]:
    """The arguments that serve the dashboard on `address` and `port`, as a child of this process.

    The dashboard has no login, so other machines must not reach it. With `trusted_network` the caller
    guarantees this for any address, such as that of a container whose port is published on loopback alone.
    `base_path` is the first part of every path, as a reverse proxy needs it.

    Raises ValueError for an address that other machines may reach.
    """
    if address not in ADDRESSES and not trusted_network:
        raise ValueError(f"dashboard address {address}: use {LOOPBACK}, the dashboard has no sign-in")
    return child.command(
        "streamlit",
        *("run", str(SERVER)),
        *("--server.address", address),
        *("--server.port", str(port)),
        *(("--server.baseUrlPath", base_path) if base_path else ()),
    )
