"""Rules for the sources of cameras, from the settings."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase

from bus.errors import BusError
from bus.kafka.settings import parse_url
from ingest.address_policy import AddressPolicy, Service, parse_networks
from ingest.sources import SourceRules
from mien.settings import EMBEDDED, Settings
from storage.engine import server_addresses


def create_source_rules(settings: Settings) -> SourceRules:
    """Create the rules by which every camera is checked and opened."""
    return SourceRules(
        environ=os.environ,
        variables=settings.source_variables,
        parameters=settings.source_parameters,
        policy=AddressPolicy(parse_networks(settings.source_networks), own_services(settings)),
    )


def camera_secrets(settings: Settings) -> frozenset[str]:
    """The values of all variables that cameras may refer to, for the log, which hides them."""
    return frozenset(
        value
        for name, value in os.environ.items()
        if any(fnmatchcase(name, pattern) for pattern in settings.source_variables)
    )


def own_services(settings: Settings) -> tuple[Service, ...]:
    """Where bus, database, dashboard, health and internal server listen; no camera can be there.

    Raises StorageError for a database URL that cannot be read.
    """
    services = [Service(host, port) for host, port in server_addresses(settings.database)]
    services.append(Service(settings.dashboard_address, settings.dashboard_port))
    if settings.health_port:
        services.append(Service(settings.health_address, settings.health_port))
    if settings.internal_port:
        services.append(Service(settings.internal_address, settings.internal_port))
    return (*services, *_brokers(settings))


def _brokers(settings: Settings) -> list[Service]:
    if settings.bus == EMBEDDED:
        return []
    try:
        servers = parse_url(settings.bus, os.environ).servers
    except BusError:  # Reported by the command that uses the bus.
        return []
    pairs = (server.rpartition(":") for server in servers)
    return [Service(host.strip("[]"), int(port)) for host, _, port in pairs]
