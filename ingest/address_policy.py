"""Address policy: to which machines a camera's source may lead, judged right before each connection.

A camera's source is a way into the network: whoever adds a camera chooses where Mien connects to. A host name
is therefore resolved here, once for each connection, and the connection is made to the addresses that were
judged; a name that resolves to another address a moment later changes nothing (DNS rebinding). Every way to
write an address (`127.1`, `0x7f000001`, `2130706433`) is judged by what it resolves to.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple, Self

from ingest.errors import IngestError, SourceError, SourceLost

Network = IPv6Network
"""All networks are compared as IPv6; those of IPv4 are the IPv4-mapped ones (RFC 4291, 2.5.5.2)."""

DEFAULT_NETWORKS = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8"),
    *("fc00::/7", "::1/128"),
)
"""Private networks (RFC 1918, RFC 6598, RFC 4193) and this machine."""

NOT_ALLOWED = (
    "its address is not allowed for cameras: it is outside of source_networks, reserved, or a service of Mien"
)
"""The same text whatever the reason is, and whether something listens there or not."""

NO_STREAM = (
    "no camera stream at this address: it is not allowed, nothing answers, or what answers is no camera"
)
"""What a browser is told of every address that delivers no picture; the log has the reason."""


def parse_network(text: str) -> Network:
    """A network in CIDR notation, such as `192.168.7.0/24` or `fd00::/8`.

    Raises ValueError where it is none.
    """
    network = ip_network(text)
    if network.version == 4:
        return IPv6Network((f"::ffff:{network.network_address}", 96 + network.prefixlen))
    return network


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks in CIDR notation; raises ValueError."""
    return tuple(map(parse_network, texts))


_LOOPBACK = parse_networks(("127.0.0.0/8", "::1/128"))
_NEVER = parse_networks(
    (
        # Unspecified, link-local (with most metadata services of clouds), multicast, reserved and broadcast.
        *("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/128", "fe80::/10", "fec0::/10", "ff00::/8"),
        # Further metadata services: AWS, Alibaba, Oracle, Azure.
        *("fd00:ec2::/32", "100.100.100.200/32", "192.0.0.0/24", "168.63.129.16/32"),
    )
)


_TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("::/96"))
"""IPv6 addresses whose last four bytes are an IPv4 address (RFC 6052, RFC 8215, RFC 4291)."""


class Service(NamedTuple):
    """Where Mien itself or a server of it listens: host, which may be a name, and port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Which addresses cameras may have.

    Attributes:
        networks: the allowed ones. Link-local, multicast, unspecified and reserved addresses are never
        allowed.
        services: never allowed: the bus, the database, the dashboard, the health server.
        this_machine: whether cameras may be on this machine, as far as `networks` has its addresses.
    """

    networks: tuple[Network, ...] = parse_networks(DEFAULT_NETWORKS)
    services: tuple[Service, ...] = ()
    this_machine: bool = True

    def without_this_machine(self) -> Self:
        """The policy for sources that come from a browser."""
        return replace(self, this_machine=False)

    def judge(self, host: str, port: int) -> tuple[str, ...]:
        """The addresses of `host` that may be connected to, in the order of the resolver.

        To be called right before each connection, which must be made to one of these addresses.

        Raises:
            SourceError: `host` is an address that is not allowed.
            SourceLost: `host` is a name that cannot be resolved, or resolves to no allowed address at
            present.
        """
        found = [each for each in _resolve(host, port) if self._allows(each, host, port)]
        if found:
            return tuple(dict.fromkeys(map(str, found)))
        raise SourceError(NOT_ALLOWED) if is_literal(host) else SourceLost(NOT_ALLOWED)

    def _allows(self, address: IPv4Address | IPv6Address, host: str, port: int) -> bool:
        forms = _forms(address)
        if any(form in network for form in forms for network in _NEVER):
            return False
        if not all(any(form in network for network in self.networks) for form in forms):
            return False
        # A name, which anybody can let resolve to anything, must not lead to this machine.
        if any(form in network for form in forms for network in _LOOPBACK) and not _names_loopback(host):
            return False
        if not self.this_machine and _is_this_machine(address):
            return False
        return not any(port == service.port and self._is_at(address, service) for service in self.services)

    def _is_at(self, address: IPv4Address | IPv6Address, service: Service) -> bool:
        try:
            theirs = _resolve(service.host, service.port)
        except SourceLost:
            return False
        ours = any(each.is_unspecified or _is_this_machine(each) for each in theirs)
        return _forms(address)[0] in {_forms(each)[0] for each in theirs} or (
            ours and _is_this_machine(address)
        )


DEFAULT_POLICY = AddressPolicy()
"""For callers without settings: `DEFAULT_NETWORKS`."""


def describe_to_browser(error: IngestError) -> str:
    """What a browser is told when a camera delivers no picture: the same for open and closed ports.

    The reason is for the log and for the command line: by it, somebody who may only add cameras could scan
    the network.
    """
    return NO_STREAM if isinstance(error, SourceLost) or str(error) == NOT_ALLOWED else str(error)


def is_literal(host: str) -> bool:
    """Whether `host` is an address in standard notation, which is judged without a resolver."""
    return _literal(host) is not None


def _resolve(host: str, port: int) -> list[IPv4Address | IPv6Address]:
    literal = _literal(host)
    if literal:
        return [literal]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise SourceLost("its host name cannot be resolved") from None
    return [ip_address(str(place[4][0]).partition("%")[0]) for place in found]


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    """The address that `host` is, in standard notation; None for names and for every other notation."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _forms(address: IPv4Address | IPv6Address) -> list[IPv6Address]:
    """The address as IPv6, and the IPv4 address that a relay or translator would read from it."""
    if isinstance(address, IPv4Address):
        return [_mapped(address)]
    address = IPv6Address(int(address))  # Without the zone.
    number, forms = int(address), [address]
    if number > 1 and any(address in network for network in _TRANSLATED):
        forms.append(_mapped(IPv4Address(number & 0xFFFFFFFF)))
    if address.sixtofour:
        forms.append(_mapped(address.sixtofour))
    if address.teredo:
        forms.extend(map(_mapped, address.teredo))
    return forms


def _mapped(address: IPv4Address) -> IPv6Address:
    return IPv6Address((0xFFFF << 32) | int(address))


def _names_loopback(host: str) -> bool:
    return is_literal(host) or host.rstrip(".").lower() == "localhost"


def _is_this_machine(address: IPv4Address | IPv6Address) -> bool:
    """Whether a socket of this machine can have the address; sends nothing."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    if mapped:
        family, address = socket.AF_INET, mapped
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True
