"""Addresses of this machine that a server listens on."""

from __future__ import annotations

import socket


def family_of(address: str) -> socket.AddressFamily:
    """Whether sockets for `address` use IPv4 or IPv6; a host name counts as IPv4."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def as_host(address: str) -> str:
    """`address` as the host of a URL (RFC 3986, 3.2.2): an IPv6 address is in brackets."""
    return f"[{address}]" if ":" in address else address
