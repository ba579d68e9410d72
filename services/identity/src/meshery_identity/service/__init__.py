"""Use cases of the identity service."""

from meshery_identity.service.assertions import AssertionsService
from meshery_identity.service.credentials import Credentials
from meshery_identity.service.installations import Installations
from meshery_identity.service.nats_logins import NATSLogins
from meshery_identity.service.people import PeopleService
from meshery_identity.service.signing_keys import SigningKeys
from meshery_identity.service.tokens import TokensService

__all__ = [
    "AssertionsService",
    "Credentials",
    "Installations",
    "NATSLogins",
    "PeopleService",
    "SigningKeys",
    "TokensService",
]
