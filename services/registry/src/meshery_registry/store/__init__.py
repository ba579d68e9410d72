"""Every SQL statement of the registry service. Rows do not leave it."""

from meshery_registry.store.components import ComponentStore
from meshery_registry.store.contents import ContentStore
from meshery_registry.store.definitions import DefinitionStore
from meshery_registry.store.evaluations import EvaluationStore
from meshery_registry.store.models import ModelStore
from meshery_registry.store.packages import PackageStore
from meshery_registry.store.policies import PolicyStore
from meshery_registry.store.quarantine import QuarantineStore
from meshery_registry.store.registrations import RegistrationStore
from meshery_registry.store.relationships import RelationshipStore
from meshery_registry.store.removals import RemovalStore

__all__ = [
    "ComponentStore",
    "ContentStore",
    "DefinitionStore",
    "EvaluationStore",
    "ModelStore",
    "PackageStore",
    "PolicyStore",
    "QuarantineStore",
    "RegistrationStore",
    "RelationshipStore",
    "RemovalStore",
]
