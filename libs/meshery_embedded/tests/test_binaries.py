"""The build of the Kubernetes programs: once, whole or not at all, one at a time.

A script stands in for Go here: the real build takes ten minutes and is what the cluster tests use.
"""

import asyncio
import os
from pathlib import Path

import pytest

from meshery_embedded.cluster import binaries
from meshery_embedded.cluster.binaries import PROGRAMS, binaries_folder, ensure_binaries, module_version
from meshery_embedded.errors import BuildError, MissingProgramError

_GO = """#!/bin/sh
if [ "$1" = env ]; then echo go1.99.0; exit 0; fi
out=
while [ $# -gt 1 ]; do [ "$1" = -o ] && out=$2; shift; done
echo "$1" >> {calls}
{before}
printf '#!/bin/sh\\necho Kubernetes v1.36.0\\n' > "$out"
chmod +x "$out"
"""


class _FakeGo:
    def __init__(self, folder: Path) -> None:
        self.calls_file = folder / "calls"
        self._program = folder / "bin" / "go"
        self._program.parent.mkdir()
        self.does("")

    def does(self, before: str) -> None:
        """What it does before it writes its output."""
        self._program.write_text(_GO.format(calls=self.calls_file, before=before))
        self._program.chmod(0o755)

    def calls(self) -> list[str]:
        return self.calls_file.read_text().split() if self.calls_file.exists() else []


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _FakeGo:
    fake = _FakeGo(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("MESHERY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return fake


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_builds_every_program_once_and_tells_what_it_does(go: _FakeGo) -> None:
    lines: list[str] = []
    folder = await ensure_binaries(lines.append)
    assert _names(folder) == set(PROGRAMS)
    assert go.calls() == list(PROGRAMS.values())
    assert any("kube-apiserver (3/5)" in line for line in lines)
    assert await ensure_binaries(lines.append) == folder
    assert len(go.calls()) == len(PROGRAMS)


async def test_a_failed_build_tells_gos_words_and_goes_on_where_it_was(go: _FakeGo) -> None:
    go.does('case "$1" in *kube-apiserver) echo "no space left" >&2; exit 1;; esac')
    with pytest.raises(BuildError) as caught:
        await ensure_binaries(lambda _: None)
    assert "no space left" in caught.value.what
    assert not binaries_folder().exists()
    go.does("")
    built = len(go.calls())
    folder = await ensure_binaries(lambda _: None)
    assert _names(folder) == set(PROGRAMS)
    # etcd and kwok were there already.
    assert go.calls()[built:] == list(PROGRAMS.values())[2:]


async def test_an_interrupted_build_leaves_no_half_cache(go: _FakeGo, tmp_path: Path) -> None:
    fifo = tmp_path / "started"
    os.mkfifo(fifo)
    go.does(f'case "$1" in *kwok) echo x > {fifo}; sleep 600;; esac')
    build = asyncio.gather(ensure_binaries(lambda _: None))
    await asyncio.to_thread(fifo.read_text)
    build.cancel()
    with pytest.raises(asyncio.CancelledError):
        await build
    assert not binaries_folder().exists()
    go.does("")
    assert _names(await ensure_binaries(lambda _: None)) == set(PROGRAMS)


async def test_of_two_builds_at_once_the_second_waits_and_says_so(go: _FakeGo, tmp_path: Path) -> None:
    started, gate = tmp_path / "started", tmp_path / "gate"
    os.mkfifo(started)
    os.mkfifo(gate)
    go.does(f'case "$1" in *etcd*) echo x > {started}; cat {gate};; esac')
    says_so = asyncio.Event()

    def second_says(line: str) -> None:
        if "another process builds" in line:
            says_so.set()

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        first = group.create_task(ensure_binaries(lambda _: None))
        await asyncio.to_thread(started.read_text)
        second = group.create_task(ensure_binaries(second_says))
        await says_so.wait()
        await asyncio.to_thread(gate.write_text, "go on")
    assert first.result() == second.result()
    assert len(go.calls()) == len(PROGRAMS)


async def test_assets_with_everything_are_used_as_they_are(
    go: _FakeGo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = _assets(tmp_path, *PROGRAMS)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    assert await ensure_binaries(lambda _: None) == assets
    assert go.calls() == []


async def test_what_assets_lack_is_built(
    go: _FakeGo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = _assets(tmp_path, "etcd", "kube-apiserver")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    folder = await ensure_binaries(lambda _: None)
    assert _names(folder) == set(PROGRAMS)
    assert (folder / "etcd").resolve() == assets / "etcd"
    assert len(go.calls()) == 3


async def test_assets_of_another_version_are_refused(
    go: _FakeGo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = _assets(tmp_path, "etcd", "kube-apiserver", version="v1.31.0")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    with pytest.raises(MissingProgramError) as caught:
        await ensure_binaries(lambda _: None)
    assert "v1.31.0" in caught.value.what


async def test_assets_without_an_api_server_are_refused(
    go: _FakeGo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(_assets(tmp_path, "etcd")))
    with pytest.raises(MissingProgramError) as caught:
        await ensure_binaries(lambda _: None)
    assert "kube-apiserver" in caught.value.what


def test_the_version_is_the_one_of_the_modules() -> None:
    assert module_version("k8s.io/kubernetes") == module_version("k8s.io/api").replace("v0.", "v1.")
    assert "gitVersion=" + module_version("k8s.io/kubernetes") in binaries._flags()


def _assets(tmp_path: Path, *names: str, version: str = "v1.36.3") -> Path:
    folder = tmp_path / "assets"
    folder.mkdir()
    for name in names:
        (folder / name).write_text(f"#!/bin/sh\necho Kubernetes {version}\n")
        (folder / name).chmod(0o755)
    return folder
