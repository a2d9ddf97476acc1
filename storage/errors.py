"""Errors of the database.

StorageError                 an operation is not possible; one line with the cause and the fix
├── DatabaseError            a statement failed, for instance for lack of a permission; the driver's reason
│   ├── DatabaseUnavailable  no connection, or locked, full or read-only: `bus.sinks.SinkUnavailable`
│   └── DataRefused          a value violates a constraint or a range: `bus.sinks.SinkRefused`
└── Fenced                   another writer stores these partitions: `bus.sinks.SinkFenced`

`storage.translation` raises the first three in place of the errors of SQLAlchemy and of the drivers.
"""

from bus.sinks import SinkFenced, SinkRefused, SinkUnavailable


class StorageError(Exception):
    """An operation on the database is not possible. The message is one line without passwords."""


class DatabaseError(StorageError):
    """A statement failed. The message is the first line of the driver's reason."""


class DatabaseUnavailable(DatabaseError, SinkUnavailable):
    """The database cannot be reached, or is locked, full or read-only: the same call may succeed later."""


class DataRefused(DatabaseError, SinkRefused):
    """The database refuses a value: the same call fails again."""


class Fenced(StorageError, SinkFenced):
    """Another writer moved a position after this writer last read or wrote it. Nothing is stored.

    The writer refuses these partitions until their positions are read again.
    """
