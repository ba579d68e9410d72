"""The same client against a real API server."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from meshery_kube import (
    Catalogue,
    Change,
    ChangeType,
    Client,
    Impersonation,
    Interrupted,
    Kind,
    PatchKind,
    Propagation,
    Refused,
    Selection,
    SnapshotEnded,
    SnapshotMode,
    SnapshotStarted,
    Validation,
    WatchEvent,
    WatchOptions,
    errors,
    self_contained,
    uploaded_kubeconfig,
)
from meshery_kube.kinds import CUSTOM_RESOURCE_DEFINITION, NAMESPACE
from meshery_kube.kubeconfigs import User
from meshery_testkit.cluster import ClusterForTests

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120, func_only=True)]

CONFIG = Kind("", "v1", "ConfigMap", "configmaps", namespaced=True)
SECRET = Kind("", "v1", "Secret", "secrets", namespaced=True)
ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts", namespaced=True)


def config(name: str, namespace: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": {"test": "yes"}},
        "data": data,
    }


async def test_the_server_says_who_it_is_and_who_we_are(kube: Client) -> None:
    assert (await kube.version()).at_least(1, 27)
    assert len(await kube.cluster_id()) == 36
    person = await kube.reviews.who_am_i()
    assert person is not None
    assert "system:masters" in person.groups
    assert (await kube.reviews.can_i("*", "*", "*")).allowed
    assert (await kube.reviews.rules()).resources
    bob = kube.impersonating(Impersonation("bob", groups=("dev",), extra=(("a/b", ("c",)),)))
    person = await bob.reviews.who_am_i()
    assert person is not None
    assert (person.username, person.extra["a/b"]) == ("bob", ("c",))
    assert "dev" in person.groups
    assert not (await bob.reviews.can_i("get", "pods")).allowed
    with pytest.raises(errors.Forbidden):
        await bob.cluster_id()


async def test_both_forms_of_discovery_agree(kube: Client) -> None:
    found = await kube.discovery.catalogue()
    assert await kube.discovery.refresh() == found
    versions = sorted({(kind.group, kind.version) for kind in found.kinds})
    kinds, missing = await kube.discovery._one_by_one(versions)
    assert not missing
    assert set(kinds) == set(found.kinds)
    watchable = {kind.qualified_name for kind in found.watchable()}
    assert {"pods.v1.core", "deployments.v1.apps", "events.v1.core"} <= watchable
    assert "events.v1.events.k8s.io" not in watchable


async def test_openapi_documents(kube: Client) -> None:
    entries = {entry.name: entry for entry in await kube.openapi.index()}
    document = await kube.openapi.document(entries["apis/apps/v1"])
    assert b"io.k8s.api.apps.v1.Deployment" in document
    assert entries["apis/apps/v1"].hash


async def test_server_side_apply(kube: Client, namespace: str) -> None:
    manifest = config("a", namespace, x="1")
    rehearsed = await kube.objects.apply(CONFIG, manifest, dry_run=True)
    assert rehearsed.created
    with pytest.raises(errors.NotFound):
        await kube.objects.get(CONFIG, "a", namespace)
    assert (await kube.objects.apply(CONFIG, manifest)).created
    assert not (await kube.objects.apply(CONFIG, manifest)).created
    taken = config("a", namespace, x="2")
    with pytest.raises(errors.Conflict) as caught:
        await kube.objects.apply(CONFIG, taken, field_manager="other")
    assert [(c.manager, c.field) for c in caught.value.field_conflicts] == [("meshery", "data.x")]
    written = await kube.objects.apply(CONFIG, taken, field_manager="other", force=True)
    assert written.object["data"] == {"x": "2"}
    with pytest.raises(errors.Invalid) as wrong:
        await kube.objects.apply(CONFIG, {**manifest, "nonsense": 1})
    assert wrong.value.causes[0].field == "nonsense"
    with pytest.raises(errors.Invalid) as bad:
        await kube.objects.apply(CONFIG, config("UPPER", namespace))
    assert bad.value.causes[0].field == "metadata.name"


async def test_validation_of_created_objects(kube: Client, namespace: str) -> None:
    odd = {**config("odd", namespace), "nonsense": 1}
    written = await kube.objects.create(CONFIG, odd, dry_run=True)
    assert written.warnings == ('unknown field "nonsense"',)
    with pytest.raises(errors.BadRequest):
        await kube.objects.create(CONFIG, odd, validation=Validation.STRICT)
    await kube.objects.create(CONFIG, config("one", namespace))
    with pytest.raises(errors.AlreadyExists):
        await kube.objects.create(CONFIG, config("one", namespace))
    with pytest.raises(errors.NotFound) as caught:
        await kube.objects.create(CONFIG, config("one", "no-such-namespace"))
    assert not isinstance(caught.value, errors.KindNotFound)


async def test_replace_patch_and_delete_with_guards(kube: Client, namespace: str) -> None:
    created = (await kube.objects.create(CONFIG, config("a", namespace, x="1"))).object
    patched = await kube.objects.patch(CONFIG, "a", {"data": {"y": "2"}}, namespace)
    assert patched.object["data"] == {"x": "1", "y": "2"}
    operation = [{"op": "remove", "path": "/data/y"}]
    patched = await kube.objects.patch(CONFIG, "a", operation, namespace, patch_kind=PatchKind.JSON)
    assert patched.object["data"] == {"x": "1"}
    with pytest.raises(errors.Conflict):
        await kube.objects.replace(CONFIG, created)
    with pytest.raises(errors.Conflict):
        await kube.objects.delete(CONFIG, "a", namespace, uid="another")
    uid = created["metadata"]["uid"]
    assert (await kube.objects.delete(CONFIG, "a", namespace, uid=uid, dry_run=True)).finished
    await kube.objects.patch(CONFIG, "a", {"metadata": {"finalizers": ["example.org/x"]}}, namespace)
    held = await kube.objects.delete(CONFIG, "a", namespace, propagation=Propagation.FOREGROUND)
    assert not held.finished
    await kube.objects.patch(CONFIG, "a", {"metadata": {"finalizers": None}}, namespace)
    with pytest.raises(errors.NotFound):
        await kube.objects.get(CONFIG, "a", namespace)


async def test_lists_in_pages_and_as_metadata(kube: Client, namespace: str) -> None:
    async with asyncio.TaskGroup() as tasks:
        for n in range(25):
            tasks.create_task(kube.objects.create(CONFIG, config(f"c{n}", namespace, x="1")))
    selection = Selection(namespace, label_selector="test=yes")
    pages = [page async for page in kube.objects.pages(CONFIG, selection, page_size=10)]
    assert [len(page.items) for page in pages] == [10, 10, 5]
    assert len({page.resource_version for page in pages}) == 1
    found = [item async for item in kube.objects.list(CONFIG, selection, page_size=7)]
    assert {(item["apiVersion"], item["kind"]) for item in found} == {("v1", "ConfigMap")}
    bare = replace(selection, metadata_only=True)
    found = [item async for item in kube.objects.list(CONFIG, bare)]
    assert {item["kind"] for item in found} == {"PartialObjectMetadata"}
    assert not any("data" in item for item in found)


async def test_secrets_as_metadata_bring_no_values(kube: Client, namespace: str) -> None:
    value = base64.b64encode(b"very-secret").decode()
    manifest = {**config("s", namespace, x=value), "kind": "Secret"}
    await kube.objects.create(SECRET, manifest)
    raw = await kube.objects.get_bytes(SECRET, "s", namespace, metadata_only=True)
    assert value.encode() not in raw
    async with aclosing(kube.watch(SECRET, Selection(namespace, metadata_only=True))) as events:
        async for event in events:
            if isinstance(event, Change):
                assert event.object["metadata"]["name"] == "s"
                assert value.encode() not in event.raw
            if isinstance(event, SnapshotEnded):
                assert event.count == 1
                break


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_watch_sees_everything_once(kube: Client, namespace: str, streaming: bool) -> None:
    """Connections of one second: many reconnects, and not one change lost or doubled."""
    await kube.objects.create(CONFIG, config("before", namespace))
    options = WatchOptions(streaming=streaming, lifetime=(1.0, 1.0))
    seen: list[tuple[str, str]] = []
    synced = asyncio.Event()

    async def follow() -> None:
        async with aclosing(kube.watch(CONFIG, Selection(namespace), options)) as events:
            async for event in events:
                assert not isinstance(event, Interrupted | Refused)
                match event:
                    case SnapshotStarted():
                        assert (event.mode is SnapshotMode.STREAMED) == streaming
                    case SnapshotEnded():
                        synced.set()
                    case Change():
                        seen.append((event.type.value, event.object["metadata"]["name"]))
                        if event.object["metadata"]["name"] == "last":
                            return

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(follow())
        await synced.wait()
        for n in range(40):
            await kube.objects.create(CONFIG, config(f"c{n}", namespace))
            await asyncio.sleep(0.1)
        await kube.objects.delete(CONFIG, "c0", namespace)
        await kube.objects.create(CONFIG, config("last", namespace))
    mine = [(kind, name) for kind, name in seen if name != "kube-root-ca.crt"]
    assert mine == [
        ("ADDED", "before"),
        *(("ADDED", f"c{n}") for n in range(40)),
        ("DELETED", "c0"),
        ("ADDED", "last"),
    ]


async def test_a_restart_of_the_server_loses_nothing(
    kube: Client, namespace: str, sandbox_cluster: ClusterForTests
) -> None:
    """The watch comes back by itself, and a version older than the new cache is 410 for real."""
    seen: set[str] = set()
    synced, last = asyncio.Event(), asyncio.Event()
    faults: list[WatchEvent] = []

    async def follow() -> None:
        async with aclosing(kube.watch(CONFIG, Selection(namespace))) as events:
            async for event in events:
                if isinstance(event, SnapshotEnded):
                    synced.set()
                elif isinstance(event, Change):
                    seen.add(event.object["metadata"]["name"])
                    if "after" in seen:
                        last.set()
                elif isinstance(event, Interrupted | Refused):
                    faults.append(event)

    async with asyncio.timeout(90), asyncio.TaskGroup() as tasks:
        following = tasks.create_task(follow())
        await synced.wait()
        await kube.objects.create(CONFIG, config("before", namespace))
        await sandbox_cluster.restart_api_server()
        await kube.objects.apply(CONFIG, config("after", namespace))
        await last.wait()
        following.cancel()
    assert {"before", "after"} <= seen
    assert faults
    options = WatchOptions(resume_from="1")
    async with aclosing(kube.watch(NAMESPACE, None, options)) as events:
        found = [await anext(events) for _ in range(2)]
    assert isinstance(found[0], Interrupted)
    assert isinstance(found[0].error, errors.Expired)
    assert found[0].relist
    assert isinstance(found[1], SnapshotStarted)


async def test_a_kind_that_is_not_there_and_one_that_we_may_not_see(kube: Client) -> None:
    missing = Kind("nope.example", "v1", "Nope", "nopes", namespaced=False)
    async with aclosing(kube.watch(missing)) as events:
        event = await anext(aiter(events))
    assert isinstance(event, Refused)
    assert isinstance(event.error, errors.KindNotFound)
    bob = kube.impersonating(Impersonation("bob"))
    async with aclosing(bob.watch(SECRET)) as events:
        event = await anext(aiter(events))
    assert isinstance(event, Refused)
    assert isinstance(event.error, errors.Forbidden)


def definition(plural: str) -> dict[str, Any]:
    kind = plural.capitalize()[:-1]
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.test.meshery.io"},
        "spec": {
            "group": "test.meshery.io",
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": plural[:-1], "kind": kind},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }


async def test_following_the_catalogue_finds_new_kinds_and_their_end(kube: Client) -> None:
    plural = "gadgets"
    changes: asyncio.Queue[Catalogue] = asyncio.Queue()

    async def until(there: Callable[[Catalogue], Awaitable[bool]]) -> Catalogue:
        while True:
            found = await changes.get()
            if await there(found):
                return found

    async def served(found: Catalogue) -> bool:
        return bool(found.versions("test.meshery.io", plural))

    async def gone(found: Catalogue) -> bool:
        return not found.versions("test.meshery.io", plural)

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        following = tasks.create_task(kube.discovery.follow(changes.put))
        await changes.get()
        await kube.objects.apply(CUSTOM_RESOURCE_DEFINITION, definition(plural))
        kind = (await until(served)).find("test.meshery.io/v1", "Gadget")
        thing = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "a"}}
        assert (await kube.objects.apply(kind, thing, "default")).created
        page = await kube.objects.page(kind)
        assert b'"kind":"Gadget"' in page.items[0]
        await kube.objects.delete(CUSTOM_RESOURCE_DEFINITION, f"{plural}.test.meshery.io")
        await until(gone)
        following.cancel()


async def test_a_plain_token_file_made_as_our_remedy_says_works(kube: Client, namespace: str) -> None:
    """What the refusal of an exec plug-in advises: a service account and its token."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "meshery"}}
    await kube.objects.create(ACCOUNT, account, namespace)
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {"name": "meshery"},
        "spec": {},
    }
    token = await kube.objects.create_subresource(ACCOUNT, "meshery", "token", request, namespace)
    context = kube.transport.context
    text = self_contained(context, token=token.object["status"]["token"])
    async with Client(uploaded_kubeconfig(text).context()) as plain:
        person = await plain.reviews.who_am_i()
        assert person is not None
        assert person.username == f"system:serviceaccount:{namespace}:meshery"
    nobody = replace(context, user=User("nobody", token="wrong-token-altogether"))
    async with Client(nobody) as plain:
        with pytest.raises(errors.Unauthorized) as caught:
            await plain.cluster_id()
        assert "wrong-token-altogether" not in repr(caught.value)


async def test_another_authority_is_a_tls_fault(kube: Client) -> None:
    context = kube.transport.context
    other = replace(context, server=replace(context.server, authority=None))
    async with Client(other) as client:
        with pytest.raises(errors.Unreachable) as caught:
            await client.version()
    assert caught.value.fault is errors.Fault.TLS_UNKNOWN_AUTHORITY


async def test_many_objects_stream_in(kube: Client, namespace: str) -> None:
    """A page's worth more than one chunk: 300 objects of some 20 KB."""
    async with asyncio.TaskGroup() as tasks:
        for n in range(300):
            tasks.create_task(kube.objects.create(CONFIG, config(f"c{n}", namespace, x="y" * 20_000)))
    selection = Selection(namespace, label_selector="test=yes")
    async with aclosing(kube.watch(CONFIG, selection)) as events:
        names: set[str] = set()
        async for event in events:
            if isinstance(event, Change):
                assert event.type is ChangeType.ADDED
                names.add(event.object["metadata"]["name"])
            if isinstance(event, SnapshotEnded):
                break
    assert len(names) == 300
