"""What is prepared: the same content has the same hash, however it was written."""

from __future__ import annotations

from uuid import uuid4

from meshery_registry.domain.entities import ModelEntity, Package
from meshery_registry.domain.prepared import PreparedPackage, prepared


def test_a_registrant_without_a_name_bears_that_of_its_kind() -> None:
    organization_id = uuid4()
    found = [
        prepared(Package(ModelEntity("bakery", "v1", registrant_name=name)), organization_id)
        for name in ("", "meshery", "other")
    ]
    unnamed, named, other = (one for one in found if isinstance(one, PreparedPackage))
    assert unnamed.model == named.model
    assert unnamed.model.content_hash != other.model.content_hash
