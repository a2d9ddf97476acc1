"""Errors of the bus; those of sinks are in `bus.sinks`.

BusError
├── BadFrame              a record that can never be processed: damaged, or of an unknown version
├── TransportClosed       the transport was closed before the call
├── AddressError          the bus's URL, or a setting for it, is invalid
├── LibraryError          a library that the transport needs is not installed
├── BrokerUnavailable     no broker answers, or a record cannot be stored at present
├── AdvertisedNameError   a broker advertises a name that cannot be resolved here
├── BrokerRefused         the broker refuses: credentials, certificate, permissions
└── TopicError            the topic is missing or has the wrong configuration
"""


class BusError(Exception):
    """Root of every error that the bus raises."""


class BadFrame(BusError):
    """A record that can never be processed, however often it is tried.

    The message names the field, its value and the accepted values.
    """


class TransportClosed(BusError):
    """The transport is closed: it neither publishes nor reads."""


class AddressError(BusError):
    """The bus's URL, or a setting for it, is invalid; names the part and the fix, never a secret."""


class LibraryError(BusError):
    """A library that the transport needs is not installed; names the command that installs it."""


class BrokerUnavailable(BusError):
    """No broker answers, or a record cannot be stored at present: the same call may succeed later."""


class AdvertisedNameError(BusError):
    """A broker advertises a name that this machine cannot resolve; names broker, host and setting."""


class BrokerRefused(BusError):
    """The broker refuses, until credentials, certificate or permissions change."""


class TopicError(BusError):
    """The topic is missing or has the wrong configuration; names the fix."""
