"""A web server of localhost that holds what is imported: files, git repositories, charts, an OCI registry.

Git is served by git's own `http-backend`; the registry speaks the distribution API with tokens for anybody, as public
ones do. With a `login` everything is private.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_TOKEN = "anybody"  # noqa: S105 -- what the registry gives to everybody


class SourceServer:
    """What one server holds; changed by the test at any time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        #: Files, or handlers of requests, by path.
        self.files: dict[str, bytes | Handler] = {}
        #: Manifests by `name:tag` and blobs by digest.
        self.manifests: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        #: Method and path of every request.
        self.asked: list[str] = []
        #: The `Authorization` headers of these requests, in the same order.
        self.shown: list[str] = []
        #: The `Authorization` header that who asks must show: for an artifact, mostly to have a token.
        self.login = ""
        #: The `WWW-Authenticate` header of the registry, unless it is that of a token server of its own.
        self.challenge = ""
        self.url = ""

    @property
    def host(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://")

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path) -> AsyncIterator[SourceServer]:
        """A server for the time of the block; `folder` keeps its git repositories."""
        server = cls(folder)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", server._answer)
        running = TestServer(app, shutdown_timeout=0.1)
        await running.start_server()
        server.url = str(running.make_url("")).rstrip("/")
        try:
            yield server
        finally:
            await running.close()

    def commit(
        self, repository: str, files: Mapping[str, str | bytes], *, branch: str = "main", tag: str = ""
    ) -> None:
        """Add a commit with these files to `/<repository>.git`, as the head of a branch."""
        work = self._folder / repository
        if not work.exists():
            work.mkdir(parents=True)
            self._git(work, "init", "-q", "-b", branch)
        elif self._git(work, "branch", "--show-current").strip() != branch:
            self._git(work, "checkout", "-q", "-B", branch)
        for name, content in files.items():
            file = work / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        self._git(work, "add", "-A")
        self._git(work, "commit", "-q", "-m", "files")
        if tag:
            self._git(work, "tag", "-a", tag, "-m", tag)

    def push(self, name: str, layers: Mapping[str, bytes], *, media_type: str, tag: str = "latest") -> str:
        """Put an artifact with these layers, by title, into the registry; the digest of its manifest."""
        described = []
        for title, body in layers.items():
            digest = _digest(body)
            self.blobs[digest] = body
            annotations = {"org.opencontainers.image.title": title}
            described.append(
                {"mediaType": media_type, "digest": digest, "size": len(body), "annotations": annotations}
            )
        manifest = json.dumps({"schemaVersion": 2, "mediaType": _MANIFEST, "layers": described}).encode()
        self.manifests[f"{name}:{tag}"] = self.manifests[f"{name}:{_digest(manifest)}"] = manifest
        return _digest(manifest)

    def publish_charts(self, path: str, charts: Mapping[tuple[str, str], bytes]) -> None:
        """A Helm repository at a path: charts by name and version."""
        entries: dict[str, Any] = {}
        for (name, version), archive in charts.items():
            file = f"{name}-{version}.tgz"
            self.files[f"{path}/{file}"] = archive
            entry = {
                "name": name,
                "version": version,
                "urls": [file],
                "digest": hashlib.sha256(archive).hexdigest(),
            }
            entries.setdefault(name, []).append(entry)
        self.files[f"{path}/index.yaml"] = json.dumps({"apiVersion": "v1", "entries": entries}).encode()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path}")
        self.shown.append(request.headers.get("Authorization", ""))
        if request.path not in self.files and (request.path.startswith("/v2/") or request.path == "/token"):
            return self._registry(request)
        if self.login and self.shown[-1] != self.login:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="here"'})
        if ".git/" in request.path:
            return await self._repository(request)
        found = self.files.get(request.path)
        if found is None:
            return web.Response(status=404)
        return web.Response(body=found) if isinstance(found, bytes) else await found(request)

    def _registry(self, request: web.Request) -> web.Response:
        shown = request.headers.get("Authorization", "")
        if request.path == "/token":
            known = not self.login or shown == self.login
            return web.json_response({"token": _TOKEN}) if known else web.Response(status=401)
        if shown != f"Bearer {_TOKEN}" and (not self.login or self.login != shown):
            challenge = self.challenge or (
                f'Bearer realm="{self.url}/token",service="here",scope="repository:x:pull"'
            )
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        name, _, rest = request.path.removeprefix("/v2/").rpartition("/")
        name, _, kind = name.rpartition("/")
        found = self.blobs.get(rest) if kind == "blobs" else self.manifests.get(f"{name}:{rest}")
        if found is None:
            return web.Response(status=404)
        return web.Response(
            body=found, content_type=_MANIFEST if kind == "manifests" else "application/octet-stream"
        )

    async def _repository(self, request: web.Request) -> web.Response:
        repository, _, rest = request.path.partition(".git/")
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self._folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": f"{repository}/.git/{rest}",
            "QUERY_STRING": request.query_string,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        }
        body = await request.read()
        process = await asyncio.create_subprocess_exec(
            *("git", "http-backend"), env=environment, stdin=PIPE, stdout=PIPE
        )
        answer, _ = await process.communicate(body)
        head, _, content = answer.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200").split(" ")[0])
        return web.Response(status=status, body=content, headers=headers)

    def _git(self, folder: Path, *arguments: str) -> str:
        told = ("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ("git", *told, "-c", "safe.directory=*", *arguments),  # noqa: S607 -- the git of this machine
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"
