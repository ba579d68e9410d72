"""Who we are and what we may do, in the server's own words. Nothing here changes the cluster."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from meshery_kube.errors import KindNotFound
from meshery_kube.pages import decode_object
from meshery_kube.transports import Call, Transport


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the server takes us for."""

    username: str
    uid: str
    groups: tuple[str, ...]
    extra: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Access:
    """Whether one thing is allowed. `denied` is an explicit no, not the mere lack of a yes."""

    allowed: bool
    denied: bool
    reason: str


@dataclass(frozen=True, slots=True)
class ResourceRule:
    """A set of rights on objects; "*" means all, no names mean all names."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resources: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PathRule:
    """A set of rights on paths that are no objects, such as /healthz."""

    verbs: tuple[str, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """What we may do in a namespace. `incomplete` when an authorizer cannot list its rules."""

    resources: tuple[ResourceRule, ...]
    paths: tuple[PathRule, ...]
    incomplete: bool


class Reviews:
    """The server's self-reviews. All methods raise KubeError's subclasses."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def who_am_i(self) -> Person | None:
        """Whom the server takes us for; None where it cannot say (before 1.26)."""
        for version in ("v1", "v1beta1", "v1alpha1"):
            try:
                status = await self._review(f"authentication.k8s.io/{version}", "SelfSubjectReview", None)
            except KindNotFound:
                continue
            user = status.get("userInfo")
            user = user if isinstance(user, dict) else {}
            extra = user.get("extra")
            return Person(
                username=str(user.get("username") or ""),
                uid=str(user.get("uid") or ""),
                groups=_texts(user.get("groups")),
                extra={key: _texts(values) for key, values in extra.items()}
                if isinstance(extra, dict)
                else {},
            )
        return None

    async def can_i(
        self,
        verb: str,
        resource: str,
        group: str = "",
        *,
        namespace: str = "",
        name: str = "",
        subresource: str = "",
        version: str = "",
    ) -> Access:
        """May we do `verb` to the plural `resource`? No namespace means in all of them."""
        attributes = {
            "verb": verb,
            "resource": resource,
            "group": group,
            "namespace": namespace,
            "name": name,
            "subresource": subresource,
            "version": version,
        }
        status = await self._review(
            "authorization.k8s.io/v1",
            "SelfSubjectAccessReview",
            {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
        )
        return Access(
            allowed=status.get("allowed") is True,
            denied=status.get("denied") is True,
            reason=str(status.get("reason") or status.get("evaluationError") or ""),
        )

    async def rules(self, namespace: str = "default") -> Rules:
        """All that we may do in `namespace`, cluster-wide rights included."""
        status = await self._review(
            "authorization.k8s.io/v1", "SelfSubjectRulesReview", {"namespace": namespace}
        )
        return Rules(
            resources=tuple(
                ResourceRule(
                    verbs=_texts(rule.get("verbs")),
                    groups=_texts(rule.get("apiGroups")),
                    resources=_texts(rule.get("resources")),
                    names=_texts(rule.get("resourceNames")),
                )
                for rule in _rules(status, "resourceRules")
            ),
            paths=tuple(
                PathRule(_texts(rule.get("verbs")), _texts(rule.get("nonResourceURLs")))
                for rule in _rules(status, "nonResourceRules")
            ),
            incomplete=status.get("incomplete") is True,
        )

    async def _review(self, api_version: str, kind: str, spec: dict[str, Any] | None) -> dict[str, Any]:
        body: dict[str, Any] = {"apiVersion": api_version, "kind": kind}
        if spec is not None:
            body["spec"] = spec
        call = Call(
            "POST",
            f"/apis/{api_version}/{kind.lower()}s",
            body=orjson.dumps(body),
            repeatable=True,
        )
        status = decode_object((await self._transport.request(call)).body).get("status")
        return status if isinstance(status, dict) else {}


def _rules(status: dict[str, Any], name: str) -> list[dict[str, Any]]:
    listed = status.get(name)
    return [rule for rule in (listed if isinstance(listed, list) else []) if isinstance(rule, dict)]


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(v) for v in value) if isinstance(value, list) else ()
