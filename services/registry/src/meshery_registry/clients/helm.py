"""What a chart's templates make of its own values: some charts keep their CRDs there.

Behind one interface: Helm as a library (the extra `charts`), else a `helm` program on this machine, else nobody.
Templates are somebody else's programs: they run in a process of their own, without our environment, and not for long.
"""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import Protocol

from meshery_common.processes import WorkerProcess
from meshery_contracts.errors import Invalid, ProblemError, Unavailable

_SECONDS = 20.0
_MAX_RENDERED_BYTES = 64 * 1024 * 1024
_RELEASE, _NAMESPACE = "release", "default"


class ChartRenderer(Protocol):
    """Renders charts."""

    async def render(self, chart: bytes) -> str:
        """All manifests that a chart's archive makes of its default values. Raises Invalid, Unavailable."""
        ...


def renderer_here(beside: WorkerProcess) -> ChartRenderer | None:
    """What this machine renders with; None when it cannot."""
    if importlib.util.find_spec("helm_python") is not None:
        return LibraryRenderer(beside)
    binary = shutil.which("helm")
    return BinaryRenderer(binary) if binary else None


class LibraryRenderer:
    """Helm's own code as a library, loaded in the process beside us."""

    def __init__(self, beside: WorkerProcess) -> None:
        self._beside = beside

    async def render(self, chart: bytes) -> str:
        """All manifests of a chart. Raises Invalid, Unavailable."""
        try:
            async with asyncio.timeout(_SECONDS):
                return await self._beside.run(rendered_by_library, chart)
        except TimeoutError:
            raise _too_slow() from None


class BinaryRenderer:
    """The `helm` program."""

    def __init__(self, binary: str) -> None:
        self._binary = binary

    async def render(self, chart: bytes) -> str:
        """All manifests of a chart. Raises Invalid, Unavailable."""
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder, "chart.tgz")
            await asyncio.to_thread(archive.write_bytes, chart)
            # Without a home, repositories, plug-ins or a cluster to look things up in.
            process = await asyncio.create_subprocess_exec(
                *(self._binary, "template", _RELEASE, str(archive), "--namespace", _NAMESPACE),
                env={"HOME": folder, "KUBECONFIG": "/dev/null", "HELM_NO_PLUGINS": "1"},
                cwd=folder,
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=DEVNULL,
            )
            assert process.stdout is not None  # noqa: S101 -- asked for above
            try:
                async with asyncio.timeout(_SECONDS):
                    rendered = await _all_of(process.stdout)
                    status = await process.wait()
            except TimeoutError:
                raise _too_slow() from None
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if status != 0:
            raise _not_rendered()
        return rendered.decode(errors="replace")


def rendered_by_library(chart: bytes) -> str:
    """All manifests of a chart, rendered in this process. Raises Invalid."""
    import helm_python  # imported here: it is large, and only the process beside us needs it

    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "chart.tgz")
        archive.write_bytes(chart)
        try:
            with helm_python.Chart.load(archive) as loaded:
                manifests = loaded.render({}, name=_RELEASE, namespace=_NAMESPACE)
        except helm_python.HelmError:
            raise _not_rendered() from None
    text = "\n---\n".join(manifests[name] for name in sorted(manifests) if not name.endswith("NOTES.txt"))
    if len(text) > _MAX_RENDERED_BYTES:
        raise _not_rendered()
    return text


async def _all_of(stream: asyncio.StreamReader) -> bytes:
    found = bytearray()
    while chunk := await stream.read(1 << 16):
        found += chunk
        if len(found) > _MAX_RENDERED_BYTES:
            raise _not_rendered()
    return bytes(found)


def _not_rendered() -> ProblemError:
    # Never with Helm's own words: they may quote values of the chart.
    return Invalid(
        "The chart's templates cannot be rendered with its default values.",
        code="chart_not_rendered",
        remedy="CRDs in the chart's folder `crds` are read all the same.",
    )


def _too_slow() -> Unavailable:
    return Unavailable("The chart's templates take too long to render.", code="chart_not_rendered")
