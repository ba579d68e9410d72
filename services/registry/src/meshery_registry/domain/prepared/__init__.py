"""From packages as readers hand them over to rows as they are stored."""

from meshery_registry.domain.prepared.preparing import (
    prepare,
    prepare_contents,
    prepared,
    selected_kinds,
)
from meshery_registry.domain.prepared.rows import (
    PreparedComponent,
    PreparedConnection,
    PreparedModel,
    PreparedPackage,
    PreparedRelationship,
)

__all__ = [
    "PreparedComponent",
    "PreparedConnection",
    "PreparedModel",
    "PreparedPackage",
    "PreparedRelationship",
    "prepare",
    "prepare_contents",
    "prepared",
    "selected_kinds",
]
