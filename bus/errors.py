"""What can go wrong on the bus.

BusError
├── BadFrame              a record that can never be processed: damaged, or of an unknown version
├── TransportClosed       the transport was closed while it was in use
├── AddressError          the bus's URL, or a setting beside it, cannot be used
├── LibraryError          a library that the transport needs is missing
├── BrokerUnavailable     no broker answers, for now
├── BrokerRefused         a broker answers and says no: credentials, certificate, permissions
└── TopicError            the topic is missing, or not as it has to be
"""


class BusError(Exception):
    """Root of every error that the bus raises."""


class BadFrame(BusError):
    """A record that will fail the same way however often it is tried.

    The message names the field, the value that was found and the value that was expected.
    """


class TransportClosed(BusError):
    """The transport was closed: nothing more can be published or read."""


class AddressError(BusError):
    """The bus's URL, or a setting beside it, cannot be used; names the part and the fix, never a secret."""


class LibraryError(BusError):
    """A library that the transport needs is missing; says how to install it."""


class BrokerUnavailable(BusError):
    """No broker answers: the same call may succeed later."""


class BrokerRefused(BusError):
    """A broker answers and says no: it will do so until credentials, certificate or permissions change."""


class TopicError(BusError):
    """The topic is missing, or has not what is needed; says how to mend it."""
