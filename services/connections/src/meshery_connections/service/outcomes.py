"""What becomes of an uploaded kubeconfig: each context for itself, and why nothing is done with some of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from meshery_connections.clients.problems import kubeconfig_problem
from meshery_connections.domain import contexts
from meshery_connections.domain.connections import StoredConnection
from meshery_contracts.connections import (
    ConnectionStatus,
    KubernetesContext,
    RefusedContext,
    RegisteredContexts,
)
from meshery_contracts.errors import Conflict, FieldProblem, Invalid, NotFound, Problem
from meshery_kube import Kubeconfig as ReadKubeconfig


class Outcome:
    """What became of each context, while it is being found out."""

    def __init__(self) -> None:
        self.connected: list[KubernetesContext] = []
        self.ignored: list[KubernetesContext] = []
        self.errored: list[KubernetesContext] = []
        self.refused: list[RefusedContext] = []
        #: Connections that this registration has made or renewed already.
        self.taken: set[UUID] = set()
        #: Connections as they were before, whose clients are to be closed.
        self.replaced: list[StoredConnection] = []

    def take(self, stored: StoredConnection, name: str) -> None:
        """It was connected, or its owner has said that it is to stay as it is."""
        self.taken.add(stored.id)
        shown = _as_uploaded(stored, name)
        (self.connected if stored.status is ConnectionStatus.CONNECTED else self.ignored).append(shown)

    def ignore(self, stored: StoredConnection, name: str, problem: Problem) -> None:
        """Its cluster is connected by another context."""
        self.ignored.append(_as_uploaded(stored, name))
        self.refused.append(RefusedContext(name=name, problem=problem))

    def fail(self, shown: KubernetesContext, name: str, problem: Problem) -> None:
        """Its cluster did not answer."""
        self.errored.append(shown)
        self.refused.append(RefusedContext(name=name, problem=problem))

    def reply(self) -> RegisteredContexts:
        """All of them, in Meshery's groups."""
        return RegisteredContexts(
            connected_contexts=self.connected,
            ignored_contexts=self.ignored,
            errored_contexts=self.errored,
            refused=self.refused,
        )


def _as_uploaded(stored: StoredConnection, name: str) -> KubernetesContext:
    """The context under the name that it has in the file, which is what mesheryctl looks for."""
    return contexts.context_of(stored.connection).model_copy(update={"name": name})


def unusable(refused: Sequence[RefusedContext]) -> Invalid:
    """That nothing can be connected with a kubeconfig: the first reason, and how to mend it; the others beside it."""
    first = refused[0].problem
    return Invalid(
        first.title,
        code=first.code,
        fields=tuple(FieldProblem(path=one.name, message=one.problem.title) for one in refused[:100]),
        cause=first.probable_cause,
        remedy=first.remediation,
    )


def refused_in(kubeconfig: ReadKubeconfig, names: Iterable[str]) -> list[RefusedContext]:
    """Contexts of the file that must not be used, each with the first reason."""
    return [
        RefusedContext(name=name, problem=kubeconfig_problem(error).problem)
        for name in names
        for error in kubeconfig.refused[name][:1]
    ]


def unknown(name: str) -> RefusedContext:
    """A name that the file does not have."""
    problem = NotFound(
        f"The kubeconfig has no context '{name[:200]}'.",
        code="context_unknown",
        remedy="Choose contexts by the names or ids that reading the kubeconfig gives.",
    ).problem
    return RefusedContext(name=name, problem=problem)


def same_cluster(stored: StoredConnection) -> Problem:
    """Why a second way into one cluster is not taken."""
    return Conflict(
        f"It leads to the same cluster as '{stored.connection.name}', which is connected by another context.",
        code="cluster_connected",
        cause="The uid of namespace kube-system is the same.",
        remedy="Upload this context alone if its credential is to be used instead.",
    ).problem
