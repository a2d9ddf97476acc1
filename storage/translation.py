"""Translation of the errors of SQLAlchemy and of the database drivers into `storage.errors`."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from storage.errors import DatabaseError, DatabaseUnavailable, DataRefused

_UNAVAILABLE = (sa.exc.OperationalError, sa.exc.InterfaceError)
_REFUSED = (sa.exc.DataError, sa.exc.IntegrityError)
_NOT_ENCODABLE = (OverflowError, UnicodeError)
"""What drivers raise for a value before they send it: an integer of more than 64 bits, a lone surrogate."""


def translate_errors(engine: sa.Engine, unavailable_states: Collection[str] = ()) -> None:
    """Let every statement, commit and connection attempt of `engine` raise `storage.errors`.

    Args:
        engine: before its first connection.
        unavailable_states: SQLSTATEs that mean "unavailable" although the driver does not report them as
            such. The connection is closed, since only a new one may lead to another server.
    """

    def translate(context: sa.engine.ExceptionContext) -> DatabaseError | None:
        original = context.original_exception
        reason = _first_line(original)
        if getattr(original, "sqlstate", None) in unavailable_states:
            context.is_disconnect = True
            error: DatabaseError = DatabaseUnavailable(reason)
        elif isinstance(context.sqlalchemy_exception, _UNAVAILABLE):
            error = DatabaseUnavailable(reason)
        elif isinstance(context.sqlalchemy_exception, _REFUSED) or isinstance(original, _NOT_ENCODABLE):
            error = DataRefused(reason)
        elif isinstance(context.sqlalchemy_exception, sa.exc.DBAPIError):
            error = DatabaseError(reason)
        else:
            return None
        # The pool handles the failure of a ping by itself, by its type.
        return None if context.is_pre_ping else error

    sa.event.listen(engine, "handle_error", translate)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
