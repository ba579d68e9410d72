"""Every SQL statement of the connections service. Rows do not leave it."""

from meshery_connections.store.connections import CHANNEL, OBJECT_KIND, ConnectionStore
from meshery_connections.store.credentials import CredentialStore
from meshery_connections.store.observations import DOCUMENTS_CHANNEL, RESYNCS_CHANNEL, ObservationStore

__all__ = [
    "CHANNEL",
    "DOCUMENTS_CHANNEL",
    "OBJECT_KIND",
    "RESYNCS_CHANNEL",
    "ConnectionStore",
    "CredentialStore",
    "ObservationStore",
]
