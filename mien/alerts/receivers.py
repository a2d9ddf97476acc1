"""Receivers of alerts: what a webhook and an MQTT broker have in common.

A message goes to the configured address alone: the name is resolved once for each attempt, its addresses are
judged, the connection is made to the first of these that accepts one, and neither redirects nor proxies are
followed.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Protocol

from ingest.address_policy import DEFAULT_POLICY, AddressPolicy, parse_networks
from ingest.errors import IngestError
from mien.alerts.addresses import Address

ATTEMPT_S = 10.0
"""The longest time that one attempt may take after the look-up of the name, which the machine limits."""

_POLICY = AddressPolicy(networks=parse_networks(("0.0.0.0/0", "::/0")))
"""Any address but those that are never allowed: link-local, multicast, metadata services of clouds."""


class DeliveryError(Exception):
    """A message was not delivered; one line with the reason, without the address's path and secrets."""


class Receiver(Protocol):
    """Where messages are sent; `shown` is its address without secrets."""

    @property
    def channel(self) -> str:
        """The channel, `webhook` or `mqtt`."""

    @property
    def shown(self) -> str:
        """The address as it may be shown: scheme, host and port, and the topic of MQTT."""

    def send(self, message_id: str, body: bytes) -> None:
        """Send a message and wait for its acknowledgement.

        Raises DeliveryError after at most `ATTEMPT_S`.
        """


def judge_addresses(address: Address) -> tuple[str, ...]:
    """The IP addresses of which one is to be connected to now, at least one, in the order of the resolver.

    Raises DeliveryError where the name cannot be resolved, leads to an address that is never allowed, or to
    another network without encryption.
    """
    try:
        found = _POLICY.judge(address.host, address.port)
    except IngestError:
        raise DeliveryError(
            f"{address.origin}: cannot be resolved, or leads to an address that is not allowed"
        ) from None
    if address.encrypted:
        return found
    if private := tuple(each for each in found if _is_private(each, address.port)):
        return private
    raise DeliveryError(f"{address.origin}: is outside of private networks and not encrypted; use TLS")


def _is_private(place: str, port: int) -> bool:
    """Whether an IP address is in a private network, or of this machine (`DEFAULT_NETWORKS`)."""
    try:
        DEFAULT_POLICY.judge(place, port)
    except IngestError:
        return False
    return True


def tls_context(authorities: Path | None) -> ssl.SSLContext:
    """TLS that checks certificates and names; `authorities` is a PEM file of further authorities.

    Raises OSError where the file cannot be read, ssl.SSLError where it contains no certificate.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if authorities:
        context.load_verify_locations(authorities)
    return context


def explain(error: OSError) -> str:
    """The reason of a failed connection in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'failed'}"
    if isinstance(error, TimeoutError):
        return f"no answer within {ATTEMPT_S:.0f} s"
    return error.strerror or "connection failed"
