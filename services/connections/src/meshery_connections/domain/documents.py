"""OpenAPI documents of a cluster: which group version each is about, and which have to be registered."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Mapping

#: Groups that belong to Kubernetes itself; a group with a dot outside of `.k8s.io` never does.
_BUILT_IN = frozenset({"", "apps", "autoscaling", "batch", "extensions", "policy"})

#: Documents above this, in bytes, are sent packed: some do not fit into a message otherwise.
PACKED_FROM_BYTES = 1024 * 1024


def group_version(name: str) -> str | None:
    """`apps/v1` for `apis/apps/v1`, `v1` for `api/v1`; None for documents that are about no group version."""
    parts = name.split("/")
    if len(parts) == 2 and parts[0] == "api":
        return parts[1]
    if len(parts) == 3 and parts[0] == "apis":
        return f"{parts[1]}/{parts[2]}"
    return None


def is_custom(version: str, custom_groups: Iterable[str]) -> bool:
    """Whether the kinds of a group version come from CRDs."""
    group = version.rpartition("/")[0]
    return group not in _BUILT_IN and group in set(custom_groups)


def changed(hashes: Mapping[str, str], known: Mapping[str, str]) -> list[str]:
    """Group versions whose document is not the one that was registered; without a hash it counts as changed."""
    return sorted(version for version, digest in hashes.items() if not digest or known.get(version) != digest)


def vanished(hashes: Mapping[str, str], known: Mapping[str, str]) -> list[str]:
    """Group versions that the cluster no longer serves."""
    return sorted(known.keys() - hashes.keys())


def fields_of(document: bytes) -> dict[str, str]:
    """A document as fields of a registration: as text, or packed when it is large."""
    if len(document) < PACKED_FROM_BYTES:
        return {"document": document.decode()}
    return {"document_gzip": base64.b64encode(gzip.compress(document, compresslevel=1)).decode()}
