"""Every SQL statement of the registry service. Rows do not leave it."""

from meshery_registry.store.definitions import DefinitionStore
from meshery_registry.store.registrations import RegistrationStore

__all__ = ["DefinitionStore", "RegistrationStore"]
