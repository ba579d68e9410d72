"""Fetching from every kind of source, each on a real server of localhost."""

from __future__ import annotations

import hashlib
import io
import json
import random
import tarfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from meshery_common.processes import WorkerProcess
from meshery_contracts.errors import Invalid, NotFound, ProblemError, TooLarge, Unavailable
from meshery_registry.clients import ArtifactHubClient, GitClient, HelmRepositoryClient, OciClient, WebClient
from meshery_registry.clients.helm import BinaryRenderer, LibraryRenderer
from meshery_registry.clients.oci import CHART_LAYER
from meshery_registry.domain.git_packs import PackLimits, files_of_pack
from meshery_registry.domain.sources import ChartSource, GitSource, OciSource, WebSource, source_of
from meshery_testkit.source_server import SourceServer
from meshery_web import AddressPolicy, Fetcher, FetchPolicy

LAPTOP = FetchPolicy(addresses=AddressPolicy(allow_loopback=True), allow_http=True, ports=None)
LIMITS = PackLimits(unpacked_bytes=10_000_000, file_bytes=1_000_000, files=100)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SourceServer]:
    async with SourceServer.open(tmp_path) as opened:
        yield opened


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    async with Fetcher.open(LAPTOP) as opened:
        yield opened


@pytest.fixture
async def beside() -> AsyncIterator[WorkerProcess]:
    async with WorkerProcess.open() as worker:
        yield worker


def a_tar(files: Mapping[str, str]) -> bytes:
    """A tar.gz of these files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


async def files_of(fetcher: Fetcher, source: GitSource) -> dict[str, bytes]:
    checkout = await GitClient(fetcher).checkout(source)
    return files_of_pack(checkout.pack, checkout.chosen.object_id, checkout.chosen.path, LIMITS)


async def test_a_git_repository_at_a_branch_a_tag_and_a_path(server: SourceServer, fetcher: Fetcher) -> None:
    server.commit("shop", {"crds/a.yaml": "a: 1", "README.md": "no", "b.json": "{}"}, tag="v1.0.0")
    server.commit("shop", {"crds/a.yaml": "a: 2"})
    server.commit("shop", {"crds/a.yaml": "a: 3"}, branch="feature/crds")
    url = f"{server.url}/shop.git"
    assert await files_of(fetcher, GitSource(url, ref="main")) == {"crds/a.yaml": b"a: 2", "b.json": b"{}"}
    assert await files_of(fetcher, GitSource(url, ref="v1.0.0", path="crds")) == {"a.yaml": b"a: 1"}
    joined = GitSource(url, path="feature/crds/crds/a.yaml", joined=True)
    assert await files_of(fetcher, joined) == {"a.yaml": b"a: 3"}
    github = source_of(f"{server.url}/shop/tree/x", "https://github.com")
    assert github == WebSource(f"{server.url}/shop/tree/x")


async def test_packs_with_deltas_and_many_files(server: SourceServer, fetcher: Fetcher) -> None:
    chance = random.Random(7)
    base = [f"line {chance.random()}" for _ in range(2000)]
    files = {}
    for number in range(40):
        base[chance.randrange(len(base))] = f"changed {number}"
        files[f"folder/{number}.yaml"] = "\n".join(base)
    files["empty.yaml"] = ""
    server.commit("big", files)
    found = await files_of(fetcher, GitSource(f"{server.url}/big.git"))
    assert found == {name: text.encode() for name, text in files.items()}
    checkout = await GitClient(fetcher).checkout(GitSource(f"{server.url}/big.git"))
    # Deltas were used: the pack is far smaller than one compressed file after the other.
    assert len(checkout.pack) < sum(map(len, files.values())) / 20
    for broken in (checkout.pack[:-1], checkout.pack[:40], b"PACK", b""):
        with pytest.raises(Invalid):
            files_of_pack(broken, checkout.chosen.object_id, "", LIMITS)
    for small in (replace(LIMITS, unpacked_bytes=100_000), replace(LIMITS, files=10)):
        with pytest.raises(TooLarge):
            files_of_pack(checkout.pack, checkout.chosen.object_id, "", small)


async def test_git_that_cannot_be_had(server: SourceServer, fetcher: Fetcher) -> None:
    server.commit("shop", {"a.yaml": "a: 1"})
    server.files["/page/info/refs"] = b"<html>"
    for source, kind in (
        (GitSource(f"{server.url}/shop.git", ref="nothing"), NotFound),
        (GitSource(f"{server.url}/shop.git", path="nothing/at/all", joined=True), NotFound),
        (GitSource(f"{server.url}/shop.git", path="no/such/folder"), NotFound),
        (GitSource(f"{server.url}/other.git"), Invalid),
        (GitSource(f"{server.url}/page"), Invalid),
        (GitSource("http://localhost:1/shop.git"), Unavailable),
    ):
        with pytest.raises(kind):
            await files_of(fetcher, source)


async def test_a_chart_of_a_helm_repository(
    server: SourceServer, fetcher: Fetcher, beside: WorkerProcess
) -> None:
    charts = {("shop", version): version.encode() for version in ("1.9.0", "1.10.0", "2.0.0-rc.1")}
    server.publish_charts("/charts", charts)
    client = HelmRepositoryClient(fetcher, beside)
    newest, version = await client.archive(ChartSource(f"{server.url}/charts", "shop"))
    assert (newest.name, newest.body, version) == ("shop-1.10.0.tgz", b"1.10.0", "1.10.0")
    older, _ = await client.archive(ChartSource(f"{server.url}/charts", "shop", "v1.9.0"))
    assert older.body == b"1.9.0"
    for name, wanted in (("other", ""), ("shop", "3.0.0")):
        with pytest.raises(NotFound):
            await client.archive(ChartSource(f"{server.url}/charts", name, wanted))
    server.files["/charts/shop-1.10.0.tgz"] = b"changed"
    with pytest.raises(Invalid, match="index"):
        await client.archive(ChartSource(f"{server.url}/charts", "shop"))
    for index in (b"no index", b"entries: [", b"entries: {shop: [{version: 1}]}"):
        server.files["/charts/index.yaml"] = index
        with pytest.raises(Invalid):
            await client.archive(ChartSource(f"{server.url}/charts", "shop"))


async def test_artifacts_of_a_registry(server: SourceServer, fetcher: Fetcher) -> None:
    client = OciClient(fetcher)
    server.push("charts/shop", {"shop.tgz": b"chart"}, media_type=CHART_LAYER, tag="1.0.0")
    (chart,) = await client.pull(OciSource(server.host, "charts/shop", "1.0.0"))
    assert (chart.name, chart.body) == ("shop.tgz", b"chart")
    digest = server.push("models/web", {"a.json": b"{}", "x/../b.json": b"[]"}, media_type="application/x")
    for reference in ("", "latest", digest):
        layers = await client.pull(OciSource(server.host, "models/web", reference))
        assert [(one.name, one.body) for one in layers] == [("a.json", b"{}"), ("b.json", b"[]")]
    index = {
        "manifests": [
            {"digest": "sha256:" + "0" * 64, "platform": {"os": "windows", "architecture": "amd64"}},
            {"digest": digest, "platform": {"os": "linux", "architecture": "amd64"}},
        ]
    }
    server.manifests["models/web:many"] = json.dumps(index).encode()
    assert len(await client.pull(OciSource(server.host, "models/web", "many"))) == 2


async def test_artifacts_that_are_not_what_they_say(server: SourceServer, fetcher: Fetcher) -> None:
    client = OciClient(fetcher)
    server.push("models/web", {"a.json": b"{}"}, media_type="application/x")
    server.blobs[f"sha256:{hashlib.sha256(b'{}').hexdigest()}"] = b"[]"
    server.manifests["broken:list"] = b"[]"
    server.manifests["broken:empty"] = b"{}"
    server.manifests["broken:path"] = b'{"layers": [{"digest": "sha256:../../secret"}]}'
    server.manifests["broken:index"] = b'{"manifests": [{"digest": 1}]}'
    for name, tag in (
        *(("models/web", "latest"), ("models/web", "other"), ("broken", "list")),
        *(("broken", "empty"), ("broken", "path"), ("broken", "index")),
    ):
        with pytest.raises(Invalid):
            await client.pull(OciSource(server.host, name, tag))
    async with Fetcher.open(replace(LAPTOP, max_bytes=1000)) as small:
        server.push("models/large", {"a": bytes(600), "b": bytes([1]) * 600}, media_type="application/x")
        with pytest.raises(TooLarge):
            await OciClient(small).pull(OciSource(server.host, "models/large"))


async def test_the_best_package_of_artifact_hub(server: SourceServer, fetcher: Fetcher) -> None:
    def package(name: str, url: str, *, verified: bool = False) -> dict[str, object]:
        return {"name": name, "version": "1.0.0", "repository": {"url": url, "verified_publisher": verified}}

    async def search(request: web.Request) -> web.Response:
        assert (request.query["ts_query_web"], request.query["kind"]) == ("shop", "0")
        found = [
            package("shop-extras", "https://a.example", verified=True),
            package("shop", "https://b.example"),
            package("shop", "https://c.example/charts/", verified=True),
        ]
        return web.json_response({"packages": found})

    server.files["/api/v1/packages/search"] = search
    client = ArtifactHubClient(fetcher, server.url)
    assert await client.find("shop") == ChartSource("https://c.example/charts", "shop", "1.0.0")
    server.files["/api/v1/packages/search"] = b'{"packages": []}'
    with pytest.raises(NotFound):
        await client.find("shop")
    server.files["/api/v1/packages/search"] = b"<html>"
    with pytest.raises(Invalid):
        await client.find("shop")


async def test_who_may_be_asked(server: SourceServer) -> None:
    async with Fetcher.open(FetchPolicy(allow_http=True, ports=None)) as stranger:
        for attempt in (
            WebClient(stranger).file(WebSource(f"{server.url}/x")),
            GitClient(stranger).checkout(GitSource(f"{server.url}/shop.git")),
            OciClient(stranger).pull(OciSource(server.host, "models/web")),
            WebClient(stranger).file(WebSource("http://169.254.169.254/latest/meta-data")),
        ):
            with pytest.raises(ProblemError) as caught:
                await attempt
            assert caught.value.problem.code == "source_address"
    assert server.asked == []


CHART = {
    "shop/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.2.3\n",
    "shop/values.yaml": "install: true\n",
    "shop/templates/crd.yaml": "{{ if .Values.install }}kind: CustomResourceDefinition{{ end }}",
    "shop/templates/NOTES.txt": "Thank you",
}


async def test_charts_are_rendered(beside: WorkerProcess, tmp_path: Path) -> None:
    renderer = LibraryRenderer(beside)
    rendered = await renderer.render(a_tar(CHART))
    assert "kind: CustomResourceDefinition" in rendered
    assert "Thank you" not in rendered
    for broken in (b"no chart", a_tar({**CHART, "shop/templates/crd.yaml": '{{ fail "secret" }}'})):
        with pytest.raises(Invalid) as caught:
            await renderer.render(broken)
        assert "secret" not in str(caught.value.problem)
    program = tmp_path / "helm"
    program.write_text(
        '#!/bin/sh\n[ "$1" = template ] && [ -s "$3" ] && echo "kind: CustomResourceDefinition"\n'
    )
    program.chmod(0o755)
    assert await BinaryRenderer(str(program)).render(b"chart") == "kind: CustomResourceDefinition\n"
    program.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(Invalid):
        await BinaryRenderer(str(program)).render(b"chart")
