"""An import's source as the parts that are registered one after the other.

It runs in the process beside the service, which unpickles one part at a time: thousands of components at once would
hold up every request.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from uuid import UUID

from meshery_contracts.imports import ModelNaming
from meshery_registry.domain.entities import Refusal
from meshery_registry.domain.materials import Material, read_material
from meshery_registry.domain.packages import Limits
from meshery_registry.domain.prepared import PreparedPackage, prepare


@dataclass(frozen=True, slots=True)
class Parts:
    """Models in the order in which they are registered, pickled, and what was refused before."""

    packages: list[bytes]
    refused: list[Refusal]


def parts_of(
    material: Material, rendered: str | None, naming: ModelNaming, limits: Limits, organization_id: UUID
) -> Parts:
    """All models of a material. Raises Invalid, NotFound or TooLarge for a git pack that cannot be read."""
    readings = read_material(material, rendered, naming, limits)
    packages, refused = [], [*readings.refused]
    for found in prepare(readings.packages, organization_id):
        if isinstance(found, PreparedPackage):
            packages.append(pickle.dumps(found))
        else:
            refused.append(found)
    return Parts(packages, refused)
