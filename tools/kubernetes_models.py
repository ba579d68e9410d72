"""The models of Kubernetes that ship with the registry, from the API documents of Kubernetes' own releases.

    .venv/bin/python tools/kubernetes_models.py                          the versions that we ship, again
    .venv/bin/python tools/kubernetes_models.py v1.35.4 v1.36.3 v1.37.2  these instead

Go fetches each release as the module `k8s.io/kubernetes`; what is read is in its folder `api`, completed by
`kubernetes_enums.py`. Schemas are written as the registry writes those of a connected cluster: a cluster of the same
version shares them. The same releases give the same files.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from kubernetes_enums import enums_of, put_enums
from meshery_registry.domain.openapi import learned_from, schema_text
from workspace import ROOT

CONTENT = ROOT / "services/registry/src/meshery_registry/content/kubernetes"
_MODULE = "k8s.io/kubernetes"
#: Parts of objects that designs show by themselves, by group version: the kind and the name of its schema.
_PARTS = {"v1": {"Container": "io.k8s.api.core.v1.Container"}}
#: What an API server keeps for itself.
_INTERNAL = "internal.apiserver.k8s.io/"


@dataclass(frozen=True)
class Release:
    """A release of Kubernetes: the folder of its sources, and the checksum of the module that they are from."""

    version: str
    folder: Path
    checksum: str


def fetched(version: str) -> Release:
    """A release from Go's module cache, downloaded when it is not there. Exits when it cannot be had."""
    go = shutil.which("go")
    if go is None:
        sys.exit("Go fetches the releases of Kubernetes: install it and put it on PATH.")
    with tempfile.TemporaryDirectory() as outside_of_any_module:
        done = subprocess.run(
            [go, "mod", "download", "-json", f"{_MODULE}@{version}"],
            cwd=outside_of_any_module,
            env={**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off"},
            capture_output=True,
            check=False,
            text=True,
        )
    told = json.loads(done.stdout or "{}")
    if done.returncode or "Dir" not in told:
        sys.exit(f"{_MODULE} {version} could not be fetched: {told.get('Error') or done.stderr.strip()}")
    return Release(version, Path(told["Dir"]), told["Sum"])


def files_of(releases: list[Release]) -> dict[str, bytes]:
    """Every file that is made, by its path in the content of the model."""
    schemas: dict[tuple[str, str], bytes] = {}
    files: dict[str, bytes] = {}
    for release in releases:
        components = []
        for listed, schema in _components(release):
            components.append(listed)
            schemas[listed["kind"], listed["schema"]] = schema
        files[f"versions/{release.version}.json"] = _version_file(release, components)
    # Neighbours are nearly alike: that is what makes twelve megabytes a hundredth of it.
    lines = {schemas[key]: None for key in sorted(schemas)}
    files["schemas.xz"] = lzma.compress(b"\n".join(lines), preset=9)
    return files


def _components(release: Release) -> Iterator[tuple[dict[str, Any], bytes]]:
    enums = list(enums_of((release.folder / "pkg/generated/openapi/zz_generated.openapi.go").read_text()))
    for file in sorted(release.folder.glob("api/discovery/api*__v*.json")):
        discovered = json.loads(file.read_text())
        group_version = discovered["groupVersion"]
        scopes = {one["kind"]: one["namespaced"] for one in discovered["resources"] if _is_resource(one)}
        if not scopes or group_version.startswith(_INTERNAL):
            continue
        parts = _PARTS.get(group_version, {})
        document = orjson.loads(
            (release.folder / "api/openapi-spec/v3" / f"{file.stem}_openapi.json").read_bytes()
        )
        put_enums(document, enums)
        for kind, name in parts.items():
            _add_kind(document["components"]["schemas"], group_version, kind, name)
        learned = learned_from(orjson.dumps(document), group_version, scopes | dict.fromkeys(parts, True))
        unread = [*learned.refused, *(f"{one.kind}: its schema." for one in learned.kinds if not one.usable)]
        if unread:
            sys.exit(f"{release.version} {group_version} could not be read: {' '.join(unread)}")
        for one in learned.kinds:
            listed = {
                "apiVersion": group_version,
                "kind": one.kind,
                "namespaced": one.namespaced,
                "description": one.description,
                "schema": one.schema_hash,
                **({"annotation": True} if one.kind in parts else {}),
            }
            yield listed, schema_text(one.schema_body).encode()


def _add_kind(schemas: dict[str, Any], group_version: str, kind: str, name: str) -> None:
    """Make a kind of a schema. Others refer to that schema, and must go on to find it as it is."""
    group, _, version = group_version.rpartition("/")
    named = [{"group": group, "version": version, "kind": kind}]
    schemas[f"{name} as a kind"] = {**schemas[name], "x-kubernetes-group-version-kind": named}


def _is_resource(discovered: dict[str, Any]) -> bool:
    """Whether objects of it are made and kept: neither a part of another kind nor a question like TokenReview."""
    return "/" not in discovered["name"] and {"create", "list"} <= set(discovered["verbs"])


def _version_file(release: Release, components: list[dict[str, Any]]) -> bytes:
    """JSON with a component a line, so that a difference between versions can be read."""
    head = {
        "version": release.version,
        "source": f"{_MODULE}@{release.version}",
        "checksum": release.checksum,
    }
    lines = ",\n".join(f"    {json.dumps(one)}" for one in components)
    return f'{json.dumps(head, indent=2)[:-2]},\n  "components": [\n{lines}\n  ]\n}}\n'.encode()


def write(content: Path, files: dict[str, bytes]) -> list[str]:
    """Put the files in place of those of other versions; gives the paths that changed."""
    present = {f"versions/{file.name}" for file in content.glob("versions/*.json")}
    changed = sorted(present - set(files))
    for path in changed:
        (content / path).unlink()
    for path, body in files.items():
        file = content / path
        if not file.is_file() or file.read_bytes() != body:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
            changed.append(path)
    return changed


def main() -> int:
    """Write the files and tell what changed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("versions", nargs="*", help="such as v1.36.3; none: those that we ship")
    wanted = parser.parse_args().versions or [file.stem for file in CONTENT.glob("versions/*.json")]
    if not wanted:
        parser.error("nothing is shipped yet: name the versions")
    releases = [fetched(version) for version in sorted(wanted)]
    for path in write(CONTENT, files_of(releases)) or ["nothing"]:
        print(f"changed: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
