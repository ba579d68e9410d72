"""A connection with what only this service knows of it, and the facts that tell of its changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from meshery_contracts.connections import Connection, ConnectionFact, ConnectionStatus
from meshery_contracts.messages import Severity


@dataclass(frozen=True)
class StoredConnection:
    """A row. `connection` is what clients read."""

    connection: Connection
    context_name: str
    cluster_id: str | None
    #: Name of the context in this machine's own kubeconfig; None for one that was uploaded.
    own_context: str | None
    #: Counts changes of where and as whom we connect.
    revision: int
    meshsync_mode: str

    @property
    def id(self) -> UUID:
        """The connection's id."""
        return self.connection.id

    @property
    def status(self) -> ConnectionStatus:
        """Where it stands."""
        return self.connection.status

    @property
    def organization_id(self) -> UUID:
        """Whose it is."""
        return self.connection.organization_id


class HealthWord(StrEnum):
    """How a cluster did at the last health check. The words stay; texts may change."""

    UNKNOWN = "unknown"
    ANSWERS = "answers"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    FAILING = "failing"


@dataclass(frozen=True)
class Health:
    """A cluster's health as it is shown: changed only when it lasts."""

    reachable: bool
    word: HealthWord
    message: str = ""


@dataclass
class HealthJudge:
    """Turns single checks into health without flapping: it takes `patience` failures in a row to be unreachable.

    One answer makes a cluster reachable again: whoever waits for it should not wait longer.
    """

    shown: Health
    patience: int
    failures: int = 0

    def judge(self, word: HealthWord, message: str = "") -> Health | None:
        """The health to show from now on; None when nothing changes."""
        if word is HealthWord.ANSWERS:
            self.failures = 0
            found = Health(True, word)
        else:
            self.failures += 1
            if self.failures < self.patience:
                return None
            found = Health(False, word, message)
        if (found.reachable, found.word) == (self.shown.reachable, self.shown.word):
            return None
        self.shown = found
        return found


_ACTIONS = {
    ConnectionStatus.DISCOVERED: ("discover", "was discovered", Severity.INFORMATIONAL),
    ConnectionStatus.REGISTERED: ("register", "was registered", Severity.INFORMATIONAL),
    ConnectionStatus.CONNECTED: ("connect", "is connected", Severity.SUCCESS),
    ConnectionStatus.IGNORED: ("ignore", "is ignored from now on", Severity.INFORMATIONAL),
    ConnectionStatus.MAINTENANCE: ("maintain", "is under maintenance", Severity.INFORMATIONAL),
    ConnectionStatus.DISCONNECTED: ("disconnect", "was disconnected", Severity.INFORMATIONAL),
    ConnectionStatus.DELETED: ("delete", "was deleted", Severity.INFORMATIONAL),
    ConnectionStatus.NOT_FOUND: ("not_found", "was not found", Severity.WARNING),
}


def status_fact(
    connection: Connection,
    previous: ConnectionStatus | None,
    now: datetime,
    *,
    user_id: UUID | None,
    actor: str = "",
) -> ConnectionFact:
    """A connection came to the status it has now."""
    action, words, severity = _ACTIONS[connection.status]
    if previous is connection.status:
        action, words = "update", "has a new address or credential"
    return ConnectionFact(
        organization_id=connection.organization_id,
        user_id=user_id,
        actor=actor,
        occurred_at=now,
        severity=severity,
        category="connection",
        action=action,
        description=f"Connection '{connection.name}' {words}.",
        acted_upon=connection.id,
        connection_id=connection.id,
        name=connection.name,
        kind=connection.kind,
        status=connection.status,
        previous=previous,
    )


def health_fact(connection: Connection, health: Health, now: datetime) -> ConnectionFact:
    """A cluster stopped answering, or answers again; its status stays."""
    words = "answers again" if health.reachable else f"does not answer ({health.word.value})"
    return ConnectionFact(
        organization_id=connection.organization_id,
        occurred_at=now,
        severity=Severity.SUCCESS if health.reachable else Severity.WARNING,
        category="connection",
        action="reachable" if health.reachable else "unreachable",
        description=f"Cluster '{connection.name}' {words}.",
        acted_upon=connection.id,
        connection_id=connection.id,
        name=connection.name,
        kind=connection.kind,
        status=connection.status,
        previous=connection.status,
        metadata={"reachable": health.reachable, "health": health.word.value},
    )
