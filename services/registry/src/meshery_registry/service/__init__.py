"""The use cases of the registry service. Each is a paragraph: authorise, read, decide, write, announce."""

from meshery_registry.service.definitions import DefinitionsService
from meshery_registry.service.registrations import RegistrationsService

__all__ = ["DefinitionsService", "RegistrationsService"]
