"""What a request to an API server means, as Kubernetes' own RequestInfo reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True)
class Target:
    """What is asked for. Discovery and the like have no resource, and their method in lower case as verb."""

    verb: str
    path: str
    query: Mapping[str, str]
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    name: str = ""
    subresource: str = ""

    @classmethod
    def of(cls, method: str, path: str, query: Mapping[str, str]) -> Target:
        """Read it from a request line."""
        parts = path.strip("/").split("/")
        if parts[0] == "api" and len(parts) > 2:
            group, version, rest = "", parts[1], parts[2:]
        elif parts[0] == "apis" and len(parts) > 3:
            group, version, rest = parts[1], parts[2], parts[3:]
        else:
            return cls(method.lower(), path, query)
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
            namespace, rest = rest[1], rest[2:]
        resource, name, subresource = (*rest, "", "")[:3]
        return cls(
            _verb(method, name, query), path, query, group, version, namespace, resource, name, subresource
        )


def _verb(method: str, name: str, query: Mapping[str, str]) -> str:
    if method == "GET":
        if query.get("watch") in ("true", "1"):
            return "watch"
        return "get" if name else "list"
    if method == "DELETE":
        return "delete" if name else "deletecollection"
    return _VERBS.get(method, method.lower())


@dataclass
class Passed:
    """A request that came by. `status` is 0 as long as, or when, it has no answer."""

    target: Target
    status: int = 0
    #: What was done to it; None for nothing.
    fault: object | None = None
