"""Receivers of alerts: what a webhook and an MQTT broker have in common.

A message goes to the configured address alone: the name is resolved once for each attempt, its addresses are
judged, the connection is made to one of these, and neither redirects nor proxies are followed.
"""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol

from ingest.address_policy import AddressPolicy, parse_networks
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


def judge_address(address: Address) -> str:
    """The IP address to connect to now.

    Raises DeliveryError where the name cannot be resolved, leads to an address that is never allowed, or to
    another network without encryption.
    """
    try:
        found = _POLICY.judge(address.host, address.port)[0]
    except IngestError:
        raise DeliveryError(
            f"{address.origin}: cannot be resolved, or leads to an address that is not allowed"
        ) from None
    target = ip_address(found)
    if not address.encrypted and not (target.is_private or target.is_loopback):
        raise DeliveryError(f"{address.origin}: is outside of private networks and not encrypted; use TLS")
    return found


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
