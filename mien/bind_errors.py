"""Why a server of Mien cannot listen, in one line that names the setting to change, address or port."""

from __future__ import annotations

import errno

_ABOUT_THE_PORT = frozenset({errno.EADDRINUSE, errno.EACCES})
"""Another program listens on the port, or the user may not; all other errors are about the address."""


def describe_bind_error(
    error: OSError | TypeError, server: str, address: str, port: int, option: str = ""
) -> str:
    """What is wrong and what to change.

    Args:
        error: of the attempt to listen; `socket` raises a TypeError for a text that no host can have as name.
        server: what the names of both settings begin with, such as `health`.
        address: the setting for the address.
        port: the setting for the port.
        option: the option of the command line that also sets the port, if there is one.
    """
    variable = f"MIEN_{server.upper()}"
    if isinstance(error, OSError) and error.errno in _ABOUT_THE_PORT:
        fix = f"{option} or {variable}_PORT" if option else f"{variable}_PORT"
        return f"{server}_port {port}: {error.strerror}; choose another with {fix}"
    reason = error.strerror if isinstance(error, OSError) else "no host can have this name"
    return f"{server}_address {address}: {reason}; choose an address of this machine with {variable}_ADDRESS"
