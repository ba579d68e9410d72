"""The use cases of the registry service. Each is a paragraph: authorise, read, decide, write, announce."""

from meshery_registry.service.definitions import DefinitionsService
from meshery_registry.service.registrations import (
    Contents,
    PackageRegistrar,
    PushedDefinitionsService,
    RegistrationsService,
    RemovalsService,
)
from meshery_registry.service.validation import ValidationService

__all__ = [
    "Contents",
    "DefinitionsService",
    "PackageRegistrar",
    "PushedDefinitionsService",
    "RegistrationsService",
    "RemovalsService",
    "ValidationService",
]
