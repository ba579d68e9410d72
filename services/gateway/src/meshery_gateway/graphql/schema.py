"""The schema: written as SDL first, then bound to the resolvers."""

from __future__ import annotations

import re
from importlib.resources import files

from ariadne import make_executable_schema
from graphql import GraphQLSchema

from meshery_gateway.graphql import (
    connections,
    deployments,
    designs,
    evaluation,
    events,
    identity,
    imports,
    inventory,
    meshery,
    policies,
    registrations,
    registry,
)
from meshery_gateway.graphql.following import HandedOn
from meshery_gateway.graphql.scalars import SCALARS

_AREAS = (
    identity,
    designs,
    deployments,
    connections,
    inventory,
    events,
    registry,
    registrations,
    imports,
    evaluation,
    policies,
    meshery,
)


def _inside(name: str, *_: object) -> str:
    """`k8sClusterIDs` as `k8s_cluster_ids`: the names that messages have."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.replace("ID", "Id")).lower()


def sdl() -> str:
    """The schema definition, as it is published."""
    return (files("meshery_gateway.graphql") / "schema.graphql").read_text(encoding="utf-8")


def executable() -> GraphQLSchema:
    """The schema with its resolvers. Inside Python names are in snake_case."""
    bindables = [one for area in _AREAS for one in area.BINDABLES]
    return make_executable_schema(sdl(), *SCALARS, *bindables, HandedOn(), convert_names_case=_inside)
