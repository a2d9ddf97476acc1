"""What can go wrong with the database.

StorageError        the database cannot be used as asked; one line with the cause and the fix
"""


class StorageError(Exception):
    """The database cannot be used as asked. The message is one line and holds no password."""
