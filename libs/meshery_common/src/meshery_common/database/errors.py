"""What PostgreSQL's errors mean to a caller.

No error of this module carries a statement's text or a value: both would end in logs and replies.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import asyncpg
from asyncpg import exceptions as pg

from meshery_contracts.errors import DeadlineExceeded, Invalid, Unavailable


class ConstraintKind(StrEnum):
    """Which rule of the schema a statement broke."""

    UNIQUE = "unique"
    FOREIGN_KEY = "foreign_key"
    CHECK = "check"
    NOT_NULL = "not_null"
    EXCLUSION = "exclusion"


class ConstraintViolated(Exception):
    """A row would break a rule of the schema. A store maps the constraint's name to an error of its own.

    For `not_null` PostgreSQL names no constraint: `constraint` is then `<table>_<column>_not_null`.
    """

    def __init__(self, constraint: str, kind: ConstraintKind) -> None:
        super().__init__(f"constraint {constraint} ({kind})")
        self.constraint = constraint
        self.kind = kind


class StatementFailed(Exception):
    """A statement that cannot work, whatever the moment: a mistake in our SQL, its arguments or our grants."""

    def __init__(self, sqlstate: str, reason: str) -> None:
        super().__init__(f"SQLSTATE {sqlstate}: {reason}")
        self.sqlstate = sqlstate


class Contended(Unavailable):
    """Another transaction was in the way (deadlock, serialisation). `Database.run` tries such work again."""


class CommitUnknown(DeadlineExceeded):
    """The connection broke while committing: the work is done or not done, never half done."""


_CONSTRAINTS: dict[type[Exception], ConstraintKind] = {
    pg.UniqueViolationError: ConstraintKind.UNIQUE,
    pg.ForeignKeyViolationError: ConstraintKind.FOREIGN_KEY,
    pg.CheckViolationError: ConstraintKind.CHECK,
    pg.NotNullViolationError: ConstraintKind.NOT_NULL,
    pg.ExclusionViolationError: ConstraintKind.EXCLUSION,
}

#: The server or the way to it is away, full, starting, stopping or a read-only copy.
_AWAY = (
    pg.PostgresConnectionError,
    pg.InsufficientResourcesError,
    pg.AdminShutdownError,
    pg.CrashShutdownError,
    pg.CannotConnectNowError,
    pg.ReadOnlySQLTransactionError,
    pg.InvalidAuthorizationSpecificationError,
    pg.InvalidCatalogNameError,
    pg.InternalClientError,
    OSError,
)


def unavailable(code: str = "database_unavailable", *, cause: str = "") -> Unavailable:
    """The error of a request that needs the database while it is away."""
    return Unavailable(
        "The database cannot be reached now.",
        code=code,
        cause=cause or "PostgreSQL is restarting, overloaded or cut off from this service.",
        remedy="Try again in a moment; if it lasts, look at PostgreSQL's log and at this service's readiness.",
        retry_after_seconds=1.0,
    )


def translated(error: BaseException) -> BaseException:
    """The error to raise `from None` in place of a driver's; anything foreign comes back as it is."""
    if type(error) is pg.DataError:
        # Raised by the driver itself before it sends; what the server finds has a class of its own.
        return _of_argument(error)
    if isinstance(error, asyncpg.PostgresError):
        return _of_server(error)
    if isinstance(error, TimeoutError):
        return _too_slow()
    if isinstance(error, asyncpg.InterfaceError):
        return _of_driver(error)
    if isinstance(error, (OSError, asyncpg.InternalClientError, EOFError)):
        return unavailable()
    return error


def shows_former_primary(error: BaseException) -> bool:
    """Whether the server has become a read-only copy: after a fail-over the primary is elsewhere."""
    return isinstance(error, pg.ReadOnlySQLTransactionError)


def leaves_connection_clean(error: BaseException) -> bool:
    """Whether the connection can serve on after this error (outside a transaction).

    After a cancelled or timed-out statement the server may still be at it.
    """
    return isinstance(error, Exception) and not isinstance(error, (TimeoutError, OSError))


def _of_server(error: Any) -> BaseException:
    kind = next((kind for base, kind in _CONSTRAINTS.items() if isinstance(error, base)), None)
    if kind is not None:
        name = error.constraint_name or f"{error.table_name}_{error.column_name}_not_null"
        return ConstraintViolated(name, kind)
    if isinstance(error, (pg.SerializationError, pg.DeadlockDetectedError)):
        return _contended()
    if isinstance(error, (pg.InvalidCachedStatementError, pg.OutdatedSchemaCacheError)):
        # A migration has changed a table under a prepared statement; the driver has forgotten it by now.
        return _contended("database_migrated")
    if isinstance(error, pg.LockNotAvailableError):
        return _contended("database_lock_timeout")
    if isinstance(error, (pg.QueryCanceledError, pg.TransactionTimeoutError)):
        return _too_slow()
    if isinstance(error, pg.IdleInTransactionSessionTimeoutError):
        return _too_slow("database_transaction_idle")
    if isinstance(error, _AWAY):
        return unavailable()
    if isinstance(error, (pg.CharacterNotInRepertoireError, pg.UntranslatableCharacterError)):
        return _unstorable_text()
    return StatementFailed(error.sqlstate or "", _reason(error))


def _of_argument(error: BaseException) -> BaseException:
    # The driver's text quotes the value. A character that UTF-8 does not know is the caller's mistake, every
    # other mismatch is ours.
    if isinstance(error.__cause__, UnicodeError) or "surrogates not allowed" in str(error):
        return _unstorable_text()
    return StatementFailed("22000", "an argument does not fit the type of its parameter")


def _of_driver(error: BaseException) -> BaseException:
    text = str(error)
    if "closed" in text or "released" in text:
        return unavailable()
    return StatementFailed("", text.splitlines()[0] if text else type(error).__name__)


def _reason(error: Any) -> str:
    # Class 42 (syntax and access rules) speaks of names in the schema, all others may quote values.
    if error.sqlstate and error.sqlstate.startswith("42"):
        return str(error.args[0])
    return type(error).__name__


def _contended(code: str = "database_contended") -> Contended:
    return Contended(
        "Somebody else is changing the same thing.",
        code=code,
        cause="Two transactions wanted the same rows at the same time.",
        remedy="Try again.",
        retry_after_seconds=0.2,
    )


def _too_slow(code: str = "database_timeout") -> DeadlineExceeded:
    return DeadlineExceeded(
        "The database did not answer in time.",
        code=code,
        cause="The statement was too much work, or PostgreSQL is overloaded.",
        remedy="Ask for less at once, or try again later.",
    )


def commit_unknown() -> CommitUnknown:
    """The error of a transaction whose end nobody saw."""
    return CommitUnknown(
        "The connection to the database broke while the change was being committed.",
        code="commit_unknown",
        cause="PostgreSQL stopped or was cut off at that very moment.",
        remedy="Send the same request again with the same idempotency key: it is done at most once.",
    )


def _unstorable_text() -> Invalid:
    return Invalid(
        "The text holds a character that cannot be stored.",
        code="unstorable_text",
        cause="It contains a NUL character or half of a surrogate pair.",
        remedy="Remove control characters from the text.",
    )
