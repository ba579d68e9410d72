"""The schema: written as SDL first, one file beside the resolvers of each area, then bound to them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from ariadne import load_schema_from_path, make_executable_schema
from graphql import GraphQLSchema, print_schema

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


@cache
def executable() -> GraphQLSchema:
    """The schema with its resolvers. Inside Python names are in snake_case."""
    bindables = [one for area in _AREAS for one in area.BINDABLES]
    source = load_schema_from_path(Path(__file__).parent)
    return make_executable_schema(source, *SCALARS, *bindables, HandedOn(), convert_names_case=_inside)


@cache
def sdl() -> str:
    """The schema definition in one piece, as it is published."""
    return print_schema(executable())
