"""Settings of a Kafka cluster, parsed from one URL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote

from bus.errors import AddressError

SCHEME = "kafka://"
_FORM = (
    "kafka://HOST[:PORT][,HOST[:PORT]][/TOPIC], with USER:PASSWORD and @ before the first HOST, and after "
    "a ? any of group=NAME, acks=1, acks=all, tls=true and ca=FILE, joined by &; special characters of a "
    "password as %XX, or the password as ${NAME} of an environment variable"
)
_SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")
_REFERENCE = re.compile(r"\$\{(\w+)\}")
_PARAMETERS = frozenset({"group", "acks", "tls", "ca"})
_MECHANISM = "SCRAM-SHA-512"


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """One Kafka cluster and Mien's topic on it.

    `acks`: "1" waits for the partition's leader, "all" for every in-sync replica (for topics with three
    replicas). With `user` the connection is always encrypted (SASL_SSL, SCRAM-SHA-512). `ca_file` has the
    certificates to trust, None for those of the system.
    """

    servers: tuple[str, ...]
    topic: str = "frames"
    group: str = "mien"
    acks: Literal["1", "all"] = "1"
    tls: bool = False
    ca_file: Path | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def dead_letters(self) -> str:
        """The topic of the dead-letter queue."""
        return f"{self.topic}.dlq"

    @property
    def where(self) -> str:
        """The cluster, for messages."""
        return SCHEME + ",".join(self.servers)

    def connection(self) -> dict[str, Any]:
        """The options with which every client of kafka-python connects."""
        encrypted = self.tls or self.user is not None
        options: dict[str, Any] = {"bootstrap_servers": list(self.servers), "client_id": "mien"}
        if encrypted:
            options["security_protocol"] = "SSL"
            options["ssl_cafile"] = str(self.ca_file) if self.ca_file else None
        if self.user is not None:
            options |= {
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": _MECHANISM,
                "sasl_plain_username": self.user,
                "sasl_plain_password": _Hidden(self.password or ""),
            }
        return options


class _Hidden(str):
    """A password without a `repr`, since the client prints its configuration into debug logs."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def parse_url(
    url: str,
    environ: Mapping[str, str],
    *,
    user: str | None = None,
    password: str | None = None,
    ca_file: Path | None = None,
) -> KafkaSettings:
    """The settings in `url`, for instance `kafka://mien:${KAFKA_PASSWORD}@broker-1:9093/frames?ca=/etc/ca.pem`.

    `user`, `password` and `ca_file` take precedence over the URL.

    Raises:
        AddressError: names the invalid part and the accepted values, never a login.
    """
    if not url.startswith(SCHEME):
        raise AddressError(f"bus: expected {_FORM}")
    address, _, query = url.removeprefix(SCHEME).partition("?")
    authority, _, topic = address.partition("/")
    if "@" in topic or "@" in query:  # A password that is not encoded: do not show it.
        raise AddressError(f"bus: / or ? before the @: expected {_FORM}")
    login, _, hosts = authority.rpartition("@")
    named_user, named_password = (_value(part, environ) for part in _split_login(login))
    parameters = _parameters(query)
    found_user, found_password = user or named_user, password or named_password
    _check_login(found_user, found_password)
    found_ca = ca_file or (Path(parameters["ca"]) if "ca" in parameters else None)
    if found_ca is not None and not found_ca.is_file():
        raise AddressError(f"bus: ca {str(found_ca)!r}: there is no such file")
    return KafkaSettings(
        servers=_servers(hosts),
        topic=_name("topic", topic or "frames"),
        group=_name("group", parameters.get("group", "mien")),
        acks="all" if _choice(parameters, "acks", ("1", "all")) == "all" else "1",
        tls=_choice(parameters, "tls", ("false", "true")) == "true" or found_ca is not None,
        ca_file=found_ca,
        user=found_user or None,
        password=found_password or None,
    )


def _split_login(login: str) -> tuple[str, str]:
    user, _, password = login.partition(":")
    return user, password


def _value(text: str, environ: Mapping[str, str]) -> str:
    """`text` decoded; the value of an environment variable is taken unchanged."""
    reference = _REFERENCE.fullmatch(text)
    if reference is None:
        return unquote(text)
    if reference[1] not in environ:
        raise AddressError(f"bus: ${{{reference[1]}}}: set the environment variable {reference[1]}")
    return environ[reference[1]]


def _check_login(user: str, password: str) -> None:
    if user and not password:
        raise AddressError("bus: the user has no password: write USER:PASSWORD@ or USER:${NAME}@")
    if password and not user:
        raise AddressError("bus: there is a password but no user: write USER:PASSWORD@")


def _servers(hosts: str) -> tuple[str, ...]:
    servers = []
    for host in hosts.split(","):
        found = _SERVER.fullmatch(host)
        if found is None or int((found[2] or ":9092")[1:]) not in range(1, 65536):
            raise AddressError(
                f"bus: server {_without_password(host)!r}: expected HOST or HOST:PORT, several separated by "
                "commas; a login ends with an @ before the first host"
            )
        servers.append(host if found[2] else f"{host}:9092")
    return tuple(servers)


def _without_password(host: str) -> str:
    """A server for a message: what follows the colon may be the password of a login without its @."""
    if re.fullmatch(r"(\[[^]]*\]|[^:]*)(:\d*)?", host):
        return host
    return f"{host.partition(':')[0]}:..."


def _name(part: str, text: str) -> str:
    if not _NAME.fullmatch(text) or text in {".", ".."}:
        raise AddressError(f"bus: {part} {text!r}: expected 1 to 200 of a-z A-Z 0-9 . _ -")
    return text


def _parameters(query: str) -> dict[str, str]:
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    unknown = sorted(parameters.keys() - _PARAMETERS)
    if unknown:
        raise AddressError(f"bus: parameter {unknown[0]!r}: expected one of {', '.join(sorted(_PARAMETERS))}")
    return parameters


def _choice(parameters: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = parameters.get(name, choices[0])
    if value not in choices:
        raise AddressError(f"bus: {name} {value!r}: expected {' or '.join(choices)}")
    return value
