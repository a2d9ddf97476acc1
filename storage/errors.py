"""What can go wrong with the database.

StorageError        the database cannot be used as asked; one line with the cause and the fix
└── Fenced          somebody else stores the results of these partitions by now
"""


class StorageError(Exception):
    """The database cannot be used as asked. The message is one line and holds no password."""


class Fenced(StorageError):
    """Somebody else moved a position since this writer last did: nothing was stored, nothing is to be.

    The writer refuses these partitions until it is asked for their positions again.
    """
