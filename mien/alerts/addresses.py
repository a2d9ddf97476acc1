"""Addresses of receivers, as the settings name them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

from common.addresses import as_host

SHORTEST_SECRET = 16
"""Characters of the key of a webhook's signature."""

_WEBHOOK_PORTS = {"http": 80, "https": 443}
_MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}
_LONGEST_TOPIC = 200
_KEPT = "/?%:@!$&'()*+,;=[]~"
"""Characters that have a meaning in a path and a query, or are percent-encoded already."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a receiver listens; `host` is in ASCII (IDNA), and `path` may contain a secret."""

    scheme: str
    host: str
    port: int
    path: str
    encrypted: bool

    @property
    def origin(self) -> str:
        """The address without its path."""
        return f"{self.scheme}://{as_host(self.host)}:{self.port}"


def _parse(url: str, ports: dict[str, int], encrypted: str) -> Address:
    """Read a URL whose scheme is one of `ports`; `encrypted` is the one with TLS.

    Raises ValueError, whose message does not contain the URL.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:
        raise ValueError("expected an address with a host and a port") from None
    if parts.scheme not in ports or not host:
        raise ValueError(f"expected an address that begins with {encrypted}://HOST")
    if parts.username is not None or parts.password is not None:
        raise ValueError("expected an address without a login")
    if any(not each.isprintable() or each.isspace() for each in url) or "#" in url:
        raise ValueError("expected an address without spaces, control characters or #")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(parts.scheme, host, port or ports[parts.scheme], path, parts.scheme == encrypted)


def parse_webhook(url: str) -> Address:
    """Read the address of a webhook; what a request line cannot hold in its path is percent-encoded.

    Raises ValueError, whose message does not contain the address.
    """
    address = _parse(url, _WEBHOOK_PORTS, "https")
    return replace(address, path=quote(address.path, safe=_KEPT))


def parse_mqtt(url: str) -> Address:
    """Read `mqtts://HOST[:PORT]/TOPIC`. Raises ValueError, whose message does not contain it."""
    address = _parse(url, _MQTT_PORTS, "mqtts")
    topic = topic_of(address)
    if not topic or set(topic) & set("+#?") or topic.startswith("$") or len(topic) > _LONGEST_TOPIC:
        raise ValueError("expected a topic after the host, without + # ? and $, such as /mien/alerts")
    return address


def topic_of(address: Address) -> str:
    """The topic that the path of an address names."""
    return address.path.strip("/")
