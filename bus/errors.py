"""What can go wrong on the bus.

BusError
├── BadFrame              a record that can never be processed: damaged, or of an unknown version
└── TransportClosed       the transport was closed while it was in use
"""


class BusError(Exception):
    """Root of every error that the bus raises."""


class BadFrame(BusError):
    """A record that will fail the same way however often it is tried.

    The message names the field, the value that was found and the value that was expected.
    """


class TransportClosed(BusError):
    """The transport was closed: nothing more can be published or read."""
