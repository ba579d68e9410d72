"""What ships with us is what a cluster of that version teaches: they share ids of components and rows of schemas."""

from __future__ import annotations

from collections import defaultdict
from importlib.resources import files

from meshery_kube import Client as KubeClient
from meshery_registry.domain.contents import read_contents
from meshery_registry.domain.openapi import learned_from, stored_schema


async def test_a_cluster_teaches_the_schemas_that_ship(kube: KubeClient) -> None:
    version = (await kube.version()).git_version
    packages = read_contents(files("meshery_registry") / "content").packages
    shipped = {
        (one.api_version, one.kind): (
            stored_schema(one.schema.encode()).hash,
            one.namespaced,
            one.description,
        )
        for package in packages
        if (package.model.name, package.model.version) == ("kubernetes", version)
        for one in package.components
    }
    assert shipped, f"nothing ships for {version}, the sandbox's version"
    scopes: defaultdict[str, dict[str, bool]] = defaultdict(dict)
    for kind in (await kube.discovery.refresh()).kinds:
        if (kind.api_version, kind.kind) in shipped:
            scopes[kind.api_version][kind.kind] = kind.namespaced
    taught = {}
    for entry in await kube.openapi.index():
        group_version = entry.name.split("/", 1)[-1]
        if group_version in scopes:
            document = await kube.openapi.document(entry)
            for one in learned_from(document, group_version, scopes[group_version]).kinds:
                taught[group_version, one.kind] = (one.schema_hash, one.namespaced, one.description)
    assert len(taught) > 50
    assert taught == {key: shipped[key] for key in taught}
