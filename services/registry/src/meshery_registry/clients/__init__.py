"""What the registry asks of others: of whoever holds definitions, over HTTP.

Everything that a person named goes through the one guarded fetcher of `meshery_web`. What comes back is bytes; they
are understood in the domain, in a process beside us.
"""

from meshery_registry.clients.artifact_hub import ArtifactHubClient
from meshery_registry.clients.files import SourceFile
from meshery_registry.clients.git import GitClient
from meshery_registry.clients.helm_repository import HelmRepositoryClient
from meshery_registry.clients.oci import OciClient
from meshery_registry.clients.web import WebClient

__all__ = [
    "ArtifactHubClient",
    "GitClient",
    "HelmRepositoryClient",
    "OciClient",
    "SourceFile",
    "WebClient",
]
