"""Names, versions and ids of what is learned: made from the content, so that learning twice gives the same."""

from __future__ import annotations

import re
from uuid import UUID, uuid5

#: The version of a definition's own shape, as Meshery's generators write it.
DEFINITION_VERSION = "v1.0.0"
#: The model of the kinds that every Kubernetes API server has by itself.
KUBERNETES = "kubernetes"

_NAMESPACE = UUID("6f8b1c0e-5a1d-5d0c-9b1e-7f3f0a4f1c55")
_WORDS = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z][a-z0-9]*|[a-z0-9]+")
_API_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")
_VERSION = re.compile(r"v?(\d{1,15})(?:\.(\d{1,15}))?(?:\.(\d{1,15}))?(.*)", re.DOTALL)
_STAGE = re.compile(r"-?(alpha|beta|rc)[.-]?(\d{0,15})")
_NUMBER = re.compile(r"\d{1,15}")
#: Categories of Meshery's model schema; what is none of them is uncategorized.
CATEGORIES = frozenset(
    {
        "Analytics",
        "App Definition and Development",
        "Cloud Native Network",
        "Cloud Native Storage",
        "Database",
        "Machine Learning",
        "Observability and Analysis",
        "Orchestration & Management",
        "Platform",
        "Provisioning",
        "Runtime",
        "Security & Compliance",
        "Serverless",
        "Tools",
        "Uncategorized",
    }
)
#: Sub-categories of the same schema.
SUB_CATEGORIES = frozenset(
    {
        *("API Gateway", "API Integration", "Application Definition & Image Build"),
        *("Automation & Configuration", "Certified Kubernetes - Distribution", "Chaos Engineering"),
        *("Cloud Native Storage", "Cloud Provider", "CNI", "Compute", "Container Registry"),
        *("Container Runtime", "Container Security", "Container", "Content Delivery Network"),
        *("Continuous Integration & Delivery", "Coordination & Service Discovery", "Database"),
        *("Flowchart", "Framework", "Installable Platform", "Key Management", "Key Management Service"),
        *("Kubernetes", "Logging", "Machine Learning", "Management Governance", "Metrics"),
        *("Monitoring", "Networking Content Delivery", "Operating System", "Query"),
        *("Remote Procedure Call", "Scheduling & Orchestration", "Secrets Management"),
        *("Security Identity & Compliance", "Service Mesh", "Service Proxy", "Source Version Control"),
        *("Storage", "Specifications", "Streaming & Messaging", "Tools", "Tracing", "Uncategorized"),
        *("Video Conferencing",),
    }
)
_STAGES = {"alpha": 0, "beta": 1, "rc": 2}
_RELEASED = 3


def display_name(kind: str) -> str:
    """A kind as people read it, split at its capitals: `HTTPRoute` is `HTTP Route`."""
    return " ".join(_WORDS.findall(kind)) or kind


def model_name(group_version: str, *, custom: bool) -> str:
    """The model that the kinds of a group version belong to: `gateway.networking.k8s.io` has its own."""
    group = group_version.rpartition("/")[0]
    if not custom or not group:
        return KUBERNETES
    return re.sub(r"[^a-z0-9]+", "-", group.lower()).strip("-") or KUBERNETES


def model_display_name(name: str) -> str:
    """A model's name as people read it."""
    return " ".join(word.capitalize() for word in name.split("-") if word)


def model_version(group_version: str, cluster_version: str, *, custom: bool) -> str:
    """The version of what a model stands for: the cluster's, or for a custom group its API version.

    Nothing in a cluster tells the version of an add-on reliably. An API version is written as Meshery's schema wants
    versions: `v1beta2` is `v1.0.0-beta.2`.
    """
    if model_name(group_version, custom=custom) == KUBERNETES:
        return cluster_version
    version = group_version.rpartition("/")[2]
    match = _API_VERSION.fullmatch(version)
    if match is None:
        return version
    return f"v{match[1]}.0.0" + (f"-{match[2]}.{match[3]}" if match[2] else "")


def version_order(version: str) -> list[int]:
    """A version as numbers that compare as versions do; one that is none comes before all others.

    What a vendor appends (`v1.30.5-gke.1014001`, `v1.29.3+k3s1`) is a later build, not a release candidate.
    """
    match = _VERSION.fullmatch(version.strip())
    if match is None:
        return [-1, 0, 0, 0, 0]
    major, minor, patch = (int(part or 0) for part in match.groups()[:3])
    stage = _STAGE.match(match[4])
    if stage is not None:
        return [major, minor, patch, _STAGES[stage[1]], int(stage[2] or 0)]
    build = _NUMBER.search(match[4])
    return [major, minor, patch, _RELEASED, int(build[0]) if build else 0]


def model_id(registrant_kind: str, name: str, version: str) -> UUID:
    """The id of a model."""
    return uuid5(_NAMESPACE, "\n".join(("model", registrant_kind, name, version)))


def component_id(model: UUID, api_version: str, kind: str, schema_hash: str) -> UUID:
    """The id of a component; its model's id stands for registrant kind, model and version."""
    return uuid5(_NAMESPACE, "\n".join(("component", str(model), api_version, kind, schema_hash)))


def described_model_id(
    organization_id: UUID, registrant_kind: str, name: str, version: str, definition_version: str
) -> UUID:
    """The id of a model that a package describes; an organisation's own is another than the one that ships with us."""
    return _id("described model", organization_id, registrant_kind, name, version, definition_version)


def described_id(model: UUID, entity_type: str, *names: str) -> UUID:
    """The id of what a package describes beside its model: made of what names it, not of its content."""
    return _id(f"described {entity_type}", model, *names)


def registrant_id(kind: str, name: str) -> UUID:
    """The id of a registrant that is no connection."""
    return _id("registrant", kind, name)


def _id(*parts: object) -> UUID:
    return uuid5(_NAMESPACE, "\n".join(str(part) for part in parts))


def category_id(name: str) -> UUID:
    """The id of a category, as its migration has it."""
    return uuid5(_NAMESPACE, f"category {name}")
