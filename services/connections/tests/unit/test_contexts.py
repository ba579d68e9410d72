"""From kubeconfigs to the contexts that clients read."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
import yaml

from meshery_connections.clients.kubeconfigs import Kubeconfigs, described, portable
from meshery_connections.domain import contexts
from meshery_connections.domain.contexts import ClusterIdentity, ContextDescription
from meshery_contracts.connections import Connection, ConnectionStatus
from meshery_kube import Context, UploadPolicy
from meshery_kube.errors import KubeconfigMalformed

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ABOUT = ContextDescription("prod", "https://prod:6443", cluster_name="c", user_name="u", credential="token")
IDENTITY = ClusterIdentity("uid-1", "v1.36.3", username="admin", groups=("system:masters",))
TOKEN = "very-secret-token"


def document(**user: object) -> str:
    return yaml.safe_dump(
        {
            "clusters": [{"name": "c", "cluster": {"server": "https://prod:6443"}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        }
    )


async def test_a_description_holds_how_but_not_what_with() -> None:
    kubeconfig = await Kubeconfigs(UploadPolicy()).uploaded(document(token=TOKEN))
    about = described(kubeconfig.contexts[0])
    assert (about.server, about.namespace, about.credential) == ("https://prod:6443", "shop", "token")
    assert TOKEN not in repr(about)
    assert TOKEN not in contexts.unsaved_context(about, IDENTITY, UUID(int=1), NOW).model_dump_json()


async def test_what_is_stored_can_be_read_again() -> None:
    kubeconfigs = Kubeconfigs(UploadPolicy())
    context = (await kubeconfigs.uploaded(document(token=TOKEN))).contexts[0]
    assert kubeconfigs.stored(portable(context)) == context


async def test_a_long_text_is_read_too() -> None:
    kubeconfig = await Kubeconfigs(UploadPolicy()).uploaded(document(token=TOKEN) + "# " + "x" * 100_000)
    assert kubeconfig.names == ("prod",)


async def test_a_context_stays_what_it_is_whatever_else_is_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config"
    kubeconfigs = Kubeconfigs(UploadPolicy(), (file,))
    written = yaml.safe_load(document(token=TOKEN))
    assert await kubeconfigs.own_context("prod") is None

    async def after(**changes: object) -> Context | None:
        await asyncio.to_thread(file.write_text, yaml.safe_dump({**written, **changes}))
        return await kubeconfigs.own_context("prod")

    before = await after()
    assert before is not None
    other = {"name": "other", "context": {"cluster": "c", "user": "u"}}
    assert await after(contexts=[other, *written["contexts"]], **{"current-context": "other"}) == before
    assert await after(users=[{"name": "u", "user": {"token": "another"}}]) != before
    assert await after(contexts=[other]) is None
    await asyncio.to_thread(file.write_text, "half: [of")
    assert await kubeconfigs.own_context("prod") is None


async def test_without_files_there_are_no_own_contexts(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigMalformed):
        await Kubeconfigs(UploadPolicy()).own()
    file = tmp_path / "config"
    kubeconfigs = Kubeconfigs(UploadPolicy(), (file,))
    before = kubeconfigs.own_version()
    file.write_text(document(exec={"command": "aws", "apiVersion": "client.authentication.k8s.io/v1"}))
    assert kubeconfigs.own_version() != before
    assert described((await kubeconfigs.own()).contexts[0]).credential == "plugin"


def test_a_selection_takes_names_and_ids() -> None:
    names, ids = ["a", "b", "c"], {"id-b": "b"}
    assert contexts.selected(names, ids, []) == (names, [])
    assert contexts.selected(names, ids, ["c", "id-b"]) == (["b", "c"], [])
    assert contexts.selected(names, ids, ["a", "x"]) == (["a"], ["x"])


def test_a_connection_is_read_back_as_its_context() -> None:
    metadata = {**contexts.metadata_of(ABOUT, IDENTITY, "embedded"), "reachable": True}
    connection = Connection(
        id=UUID(int=7),
        name="prod",
        kind="kubernetes",
        status=ConnectionStatus.CONNECTED,
        metadata=metadata,
        user_id=UUID(int=1),
        organization_id=UUID(int=2),
        created_at=NOW,
        updated_at=NOW,
    )
    context = contexts.context_of(connection)
    assert context.id == str(context.connection_id) == str(UUID(int=7))
    assert (context.server, context.version, context.kubernetes_server_id) == (
        "https://prod:6443",
        "v1.36.3",
        "uid-1",
    )
    assert context.reachable
    written = context.model_dump(mode="json")
    assert written["kubernetes_server_id"] == written["kubernetesServerId"] == "uid-1"


def test_ids_are_stable_and_tell_clusters_apart() -> None:
    assert contexts.context_id("https://a", "x") == contexts.context_id("https://a", "x")
    assert contexts.context_id("https://a", "x") != contexts.context_id("https://b", "x")
    assert contexts.derived_cluster_id("https://a", ["f"]) != contexts.derived_cluster_id("https://a", ["g"])
    assert contexts.metadata_of(ABOUT, ClusterIdentity("x", "v1", derived=True), "embedded")[
        "kubernetes_server_id_derived"
    ]
