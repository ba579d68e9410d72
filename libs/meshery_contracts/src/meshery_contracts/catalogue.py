"""Every endpoint and topic of every contract module, found by walking this package.

For what must know all conversations: generated documents, NATS permissions, contract tests. A service that
wants one contract imports its module.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache

import meshery_contracts
from meshery_contracts.endpoints import Endpoint, Topic, contract_of
from meshery_contracts.messages import Message


@dataclass(frozen=True)
class Contract:
    """What one service answers and announces, in the order of the subjects."""

    service: str
    endpoints: tuple[Endpoint[Message, Message], ...]
    topics: tuple[Topic[Message], ...]


@cache
def contracts() -> dict[str, Contract]:
    """All contracts by the service token of their subjects; a service may spread its own over modules."""
    endpoints: dict[str, Endpoint[Message, Message]] = {}
    topics: dict[str, Topic[Message]] = {}
    for found in pkgutil.walk_packages(meshery_contracts.__path__, "meshery_contracts."):
        if found.name == __name__:
            continue
        declared, announced = contract_of(importlib.import_module(found.name))
        endpoints |= {one.subject: one for one in declared}
        topics |= {one.subject: one for one in announced}
    names = {one.service for one in endpoints.values()} | {one.service for one in topics.values()}
    return {
        name: Contract(
            name,
            tuple(endpoints[subject] for subject in sorted(endpoints) if endpoints[subject].service == name),
            tuple(topics[subject] for subject in sorted(topics) if topics[subject].service == name),
        )
        for name in sorted(names)
    }


def contract_for(service: str) -> Contract:
    """The contract of one service (name or token); an empty one while it has none."""
    token = service.replace("-", "_")
    return contracts().get(token, Contract(token, (), ()))
