"""Use cases that change what the registry holds.

`clusters` takes what clusters teach, `packages` stores whole models from wherever they come, `contents` what ships
with us, `definitions` what registrants push, `removals` switches, deletes and forgets.
"""

from meshery_registry.service.registrations.clusters import RegistrationsService
from meshery_registry.service.registrations.contents import Contents
from meshery_registry.service.registrations.definitions import PushedDefinitionsService
from meshery_registry.service.registrations.packages import PackageRegistrar
from meshery_registry.service.registrations.removals import RemovalsService

__all__ = [
    "Contents",
    "PackageRegistrar",
    "PushedDefinitionsService",
    "RegistrationsService",
    "RemovalsService",
]
