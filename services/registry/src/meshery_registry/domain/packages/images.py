"""OCI image layouts and docker-style image files: the layers that hold the model, checked against their digests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from meshery_registry.domain.packages.bounds import Refused

#: A model in a registry or an image file, as we write it.
ARTIFACT_TYPE: Final = "application/vnd.meshery.model.v1"
CONFIG_TYPE: Final = "application/vnd.meshery.model.config.v1+json"
LAYER_TYPE: Final = "application/vnd.meshery.model.layer.v1.tar+gzip"
MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE: Final = "application/vnd.oci.image.index.v1+json"
#: What a layer that is one file is called, as ORAS writes it.
TITLE: Final = "org.opencontainers.image.title"

_LAYOUT = "oci-layout"
_MAX_INDEX_DEPTH = 2
_MENDING = "Export or pull the image again."


def image_root(files: Mapping[str, bytes]) -> str | None:
    """The folder of an image among unpacked files, with a `/` at its end unless it is the root; None: no image."""
    for path in files:
        folder, _, name = path.rpartition("/")
        root = f"{folder}/" if folder else ""
        if name == _LAYOUT and f"{root}index.json" in files:
            return root
        if name == "manifest.json" and _docker_layers(files[path]):
            return root
    return None


def image_layers(files: Mapping[str, bytes], root: str) -> Iterator[tuple[str, bytes]]:
    """Each layer's title (or digest) and content, in order. Raises Refused."""
    if f"{root}{_LAYOUT}" in files:
        yield from _of_index(files, root, _read(files[f"{root}index.json"], "index.json"), 0)
        return
    for path in _docker_layers(files[f"{root}manifest.json"]):
        if f"{root}{path}" not in files:
            raise Refused("A layer of the image is missing.", _MENDING, path[:200])
        yield path, files[f"{root}{path}"]


def _of_index(
    files: Mapping[str, bytes], root: str, index: Mapping[str, Any], depth: int
) -> Iterator[tuple[str, bytes]]:
    for listed in _list(index, "manifests"):
        digest, body = _blob(files, root, listed)
        manifest = _read(body, digest)
        if "manifests" in manifest:
            if depth >= _MAX_INDEX_DEPTH:
                raise Refused("Its indexes refer to indexes too often.", _MENDING, digest)
            yield from _of_index(files, root, manifest, depth + 1)
        for layer in _list(manifest, "layers"):
            digest, body = _blob(files, root, layer)
            annotations = layer.get("annotations")
            title = annotations.get(TITLE) if isinstance(annotations, dict) else None
            yield (title if isinstance(title, str) and title else digest), body


def _blob(files: Mapping[str, bytes], root: str, descriptor: Mapping[str, Any]) -> tuple[str, bytes]:
    digest = str(descriptor.get("digest"))[:200]
    algorithm, _, value = digest.partition(":")
    body = files.get(f"{root}blobs/{algorithm}/{value}")
    if body is None:
        raise Refused("A part of the image is missing.", _MENDING, digest)
    if algorithm not in ("sha256", "sha512"):
        raise Refused("A part of the image is named by an unknown digest.", "Use sha256.", digest)
    if hashlib.new(algorithm, body).hexdigest() != value:
        raise Refused("A part of the image is not what its digest says.", _MENDING, digest)
    return digest, body


def _docker_layers(manifest: bytes) -> list[str]:
    try:
        images = orjson.loads(manifest)
    except orjson.JSONDecodeError:
        return []
    layers = []
    for image in images if isinstance(images, list) else ():
        listed = image.get("Layers") if isinstance(image, dict) else None
        layers += [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    return layers


def _read(body: bytes, where: str) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise Refused("A manifest of the image is no JSON.", _MENDING, where)
    return document


def _list(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = document.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
