"""Every SQL statement of the identity service. Rows do not leave it."""

from meshery_identity.store.installation import Installation, InstallationStore
from meshery_identity.store.people import PeopleStore
from meshery_identity.store.signing_keys import SigningKeyStore, StoredSigningKey
from meshery_identity.store.tokens import TokenStore

__all__ = [
    "Installation",
    "InstallationStore",
    "PeopleStore",
    "SigningKeyStore",
    "StoredSigningKey",
    "TokenStore",
]
