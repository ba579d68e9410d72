"""A package to bytes, in Meshery's folder layout: the same package gives the same bytes.

As an image it is two things in one tar file: docker-style (`manifest.json`), which Meshery's tools read, and an OCI
layout (`index.json`) with media types of our own, which registries take.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import tarfile
from collections.abc import Mapping
from io import BytesIO
from typing import Any, Final, Literal

import orjson
import yaml

from meshery_registry.domain.entities import ModelEntity, Package, PolicyEntity
from meshery_registry.domain.packages.images import (
    ARTIFACT_TYPE,
    CONFIG_TYPE,
    INDEX_TYPE,
    LAYER_TYPE,
    MANIFEST_TYPE,
)
from meshery_registry.domain.packages.writing import (
    component_document,
    connection_document,
    in_older_words,
    model_document,
    model_inside,
    policy_document,
    relationship_digest,
    relationship_document,
)

PackageFormat = Literal["json", "yaml"]
FileType = Literal["oci", "tar"]

_SUFFIX_LENGTH: Final = 5
_JSON: Final = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
_Dumper: type[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def write_package(
    package: Package,
    format: PackageFormat = "json",
    file_type: FileType = "oci",
    components: bool = True,
    relationships: bool = True,
    older: bool = False,
) -> bytes:
    """The package as an OCI image in a tar file, or as a tar.gz of the model's folder.

    `older` writes components and relationships as `v1beta2`, for a Meshery that knows no newer ones.
    """
    files = package_files(package, format, components, relationships, older)
    folder = gzip.compress(_tar(files), compresslevel=6, mtime=0)
    return folder if file_type == "tar" else _image(package.model, folder)


def package_files(
    package: Package,
    format: PackageFormat = "json",
    components: bool = True,
    relationships: bool = True,
    older: bool = False,
) -> dict[str, bytes]:
    """The files of a package by path, such as `kubernetes/v1.30.0/v1.0.0/components/Pod.json`."""
    model = package.model
    chosen_components = package.components if components else ()
    chosen_relationships = package.relationships if relationships else ()
    files = _Files(model, format)
    files.add("", "model", model_document(model, len(chosen_components), len(chosen_relationships)))
    inside = model_inside(model)
    for component in chosen_components:
        document = component_document(component, model, inside)
        files.add(
            "components",
            component.kind,
            in_older_words(document) if older else document,
            component.api_version,
        )
    for relationship in chosen_relationships:
        document = relationship_document(relationship, model)
        name = f"{relationship.kind}-{relationship.type}-{relationship.sub_type}"
        digest = relationship_digest(relationship)
        files.add(
            "relationships",
            f"{name}-{digest[:_SUFFIX_LENGTH]}",
            in_older_words(document) if older else document,
            digest,
        )
    for policy in package.policies:
        if not (_is_text(policy) and files.put("policies", policy.name, "rego", policy.source.encode())):
            files.add("policies", policy.name, policy_document(policy))
    for connection in package.connections:
        files.add("connections", connection.kind, connection_document(connection, model))
    return files.written


def _is_text(policy: PolicyEntity) -> bool:
    """Whether the policy is nothing but its text, and its name can be that of a file."""
    return policy.language == "rego" and not policy.definition and _file_name(policy.name) == policy.name


class _Files:
    """The files of one package; names that differ in capitals only are told apart."""

    def __init__(self, model: ModelEntity, format: PackageFormat) -> None:
        parts = (model.name, model.version, model.definition_version)
        self._folder = "/".join(_file_name(part) for part in parts)
        self._format = format
        self._folded: set[str] = set()
        self.written: dict[str, bytes] = {}

    def add(self, folder: str, name: str, document: Mapping[str, Any], otherwise: str = "") -> None:
        """Write a document; `otherwise` is added to its name where that is taken."""
        content = _text(document, self._format)
        for one in (name, f"{name}-{otherwise}", f"{name}-{hashlib.sha256(content).hexdigest()}"):
            if self.put(folder, one, self._format, content):
                return

    def put(self, folder: str, name: str, suffix: str, content: bytes) -> bool:
        """Write a file unless its name is taken; whether it was written."""
        path = "/".join(filter(None, (self._folder, folder, f"{_file_name(name)}.{suffix}")))
        if path.casefold() in self._folded:
            return False
        self._folded.add(path.casefold())
        self.written[path] = content
        return True


def _file_name(name: str) -> str:
    """A name that is one of a file anywhere."""
    return re.sub(r"[^A-Za-z0-9._-]+|^\.+", "-", name)[:150] or "-"


def _text(document: Mapping[str, Any], format: PackageFormat) -> bytes:
    if format == "json":
        return orjson.dumps(document, option=_JSON)
    written: str = yaml.dump(dict(document), Dumper=_Dumper, sort_keys=True, allow_unicode=True)
    return written.encode()


def _tar(files: Mapping[str, bytes]) -> bytes:
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(files):
            info = tarfile.TarInfo(path)
            info.size = len(files[path])
            info.mode = 0o644
            archive.addfile(info, BytesIO(files[path]))
    return packed.getvalue()


def _image(model: ModelEntity, layer: bytes) -> bytes:
    """An image of one layer, which is the model's folder."""
    name = f"{_file_name(model.name).lower()}:{_file_name(model.version)}"
    unpacked = gzip.decompress(layer)
    config = _json(
        {
            "architecture": "unknown",
            "os": "unknown",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [_digest(unpacked)]},
            "model": {"name": model.name, "version": model.version},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": ARTIFACT_TYPE,
            "config": _descriptor(CONFIG_TYPE, config),
            "layers": [_descriptor(LAYER_TYPE, layer)],
            "annotations": {
                "org.opencontainers.image.title": model.display_name or model.name,
                "org.opencontainers.image.version": model.version,
            },
        }
    )
    listed = {
        **_descriptor(MANIFEST_TYPE, manifest),
        "artifactType": ARTIFACT_TYPE,
        "annotations": {"org.opencontainers.image.ref.name": name},
    }
    docker = [{"Config": _blob(config), "RepoTags": [name], "Layers": [_blob(layer)]}]
    return _tar(
        {
            "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
            "index.json": _json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [listed]}),
            "manifest.json": _json(docker),
            **{_blob(blob): blob for blob in (config, manifest, layer)},
        }
    )


def _json(document: Any) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _blob(blob: bytes) -> str:
    return f"blobs/{_digest(blob).replace(':', '/')}"


def _descriptor(media_type: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}
