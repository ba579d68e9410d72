"""An HTTPS proxy in front of an API server. It passes everything on as it is, but for the faults that are injected.

It does not know upgrades (exec, attach, port-forward).
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import orjson
import pytest
import yaml
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from meshery_testkit.cluster import ClusterForTests
from meshery_testkit.faults.authorities import Authority
from meshery_testkit.faults.bodies import Body, reset
from meshery_testkit.faults.injections import Injection
from meshery_testkit.faults.kinds import Answer, Drop, Fault, Hang, Slow
from meshery_testkit.faults.requests import Passed, Target

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host"}
_OUR_OWN_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class FaultProxy:
    """The proxy; `kubeconfig` leads through it. Made by the fixture `fault_proxy`."""

    def __init__(
        self, target: str, upstream: aiohttp.ClientSession, anonymous: aiohttp.ClientSession
    ) -> None:
        self._target = URL(target)
        self._upstream = upstream
        self._anonymous = anonymous
        self._token = secrets.token_urlsafe(16)
        self._authority = Authority()
        self._injections: list[Injection] = []
        self._open: dict[int, tuple[web.BaseRequest, Target]] = {}
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._port = 0
        self.requests: list[Passed] = []
        """Everything that came by, in order."""

    @property
    def server(self) -> str:
        """URL of the proxy."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def kubeconfig(self) -> str:
        """A self-contained kubeconfig of somebody who may do anything, by way of the proxy.

        Other bearer tokens are passed on to the API server: a service account stays who it is.
        """
        return f"""\
apiVersion: v1
kind: Config
current-context: faulty
clusters:
- name: faulty
  cluster:
    server: {self.server}
    certificate-authority-data: {base64.b64encode(self._authority.certificate_pem).decode()}
contexts:
- name: faulty
  context: {{cluster: faulty, user: faulty, namespace: default}}
users:
- name: faulty
  user: {{token: {self._token}}}
"""

    def inject(
        self,
        fault: Fault,
        *,
        verb: str = "",
        resource: str = "",
        path: str = "*",
        name: str = "*",
        query: str = "",
        skip: int = 0,
        times: int | None = 1,
    ) -> Injection:
        """Let the fault happen to requests that fit: see `Injection`. The first that fits is the one that happens.

        `inject(Drop(), verb="create", skip=2)` drops the third create; `times=None` is for ever.
        """
        injection = Injection(fault, verb, resource, path, name, query, skip, times)
        self._injections.append(injection)
        return injection

    async def clear(self) -> None:
        """Lift all faults and thaw."""
        for injection in self._injections:
            await injection.lift()
        self._injections.clear()
        self.thaw()

    def freeze(self) -> None:
        """From now on no byte comes to anybody, on open connections neither; they stay open."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Bytes flow again; what was held comes now."""
        self._flowing.set()

    def reset(self, *, verb: str = "", resource: str = "") -> int:
        """Reset the connections of requests that are being answered now, e.g. of all watches; gives how many."""
        which = Injection(Drop(), verb, resource)
        chosen = [request for request, target in self._open.values() if which.fits(target)]
        for request in chosen:
            reset(request)
        return len(chosen)

    def passed(self, *, verb: str = "", resource: str = "") -> list[Passed]:
        """The requests so far that fit."""
        which = Injection(Drop(), verb, resource)
        return [one for one in self.requests if which.fits(one.target)]

    @asynccontextmanager
    async def serving(self, folder: Path) -> AsyncIterator[FaultProxy]:
        """Listen for the time of the block; `folder` is for the certificate."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._authority.server_certificate(folder))
        runner = web.ServerRunner(
            web.Server(self._handle, access_log=None, handler_cancellation=True), shutdown_timeout=0
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
            await site.start()
            self._port = runner.addresses[0][1]
            yield self
        finally:
            await self.clear()
            self.reset()
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        query = dict(request.query.items())
        passed = Passed(Target.of(request.method, request.path, query))
        self.requests.append(passed)
        self._open[id(request)] = (request, passed.target)
        try:
            await self._flowing.wait()
            injection = await self._injection(passed.target)
            if injection is None:
                return await self._forward(request, passed, None)
            passed.fault = injection.fault
            return await self._faulty(request, passed, injection)
        except (aiohttp.ClientError, OSError):
            # The API server is gone, or went: so are we, as far as the client can tell.
            reset(request)
            return _nothing()
        finally:
            del self._open[id(request)]

    async def _injection(self, target: Target) -> Injection | None:
        for injection in self._injections:
            if await injection.takes(target):
                return injection
        return None

    async def _faulty(
        self, request: web.BaseRequest, passed: Passed, injection: Injection
    ) -> web.StreamResponse:
        match injection.fault:
            case Answer() as answer:
                passed.status = answer.status
                headers = {"Content-Type": "application/json"}
                if answer.retry_after_seconds is not None:
                    headers["Retry-After"] = str(answer.retry_after_seconds)
                return web.Response(
                    status=answer.status, body=orjson.dumps(answer.document()), headers=headers
                )
            case Drop(done=done):
                if done:
                    async with self._ask(request) as reply:
                        await reply.read()
                reset(request)
                return _nothing()
            case Hang(after_bytes=None):
                await injection.until_lifted()
                return await self._forward(request, passed, None)
            case Slow(delay_seconds=delay):
                await asyncio.sleep(delay)
        return await self._forward(request, passed, injection)

    @asynccontextmanager
    async def _ask(self, request: web.BaseRequest) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = CIMultiDict(
            (key, value) for key, value in request.headers.items() if key.lower() not in _HOP_BY_HOP
        )
        upstream = self._anonymous
        if headers.get("Authorization") == f"Bearer {self._token}":
            # The client's certificate of the administrator takes its place.
            del headers["Authorization"]
            upstream = self._upstream
        url = self._target.join(URL(request.raw_path, encoded=True))
        body = await request.read()
        async with upstream.request(
            request.method, url, headers=headers, data=body or None, skip_auto_headers=_OUR_OWN_HEADERS
        ) as reply:
            yield reply

    async def _forward(
        self, request: web.BaseRequest, passed: Passed, injection: Injection | None
    ) -> web.StreamResponse:
        async with self._ask(request) as reply:
            passed.status = reply.status
            response = web.StreamResponse(status=reply.status, reason=reply.reason)
            for key, value in reply.headers.items():
                if key.lower() not in _HOP_BY_HOP:
                    response.headers.add(key, value)
            if "Content-Length" not in response.headers:
                response.enable_chunked_encoding()
            await response.prepare(request)
            # Headers go out now: a watch without events yet has begun for its client.
            await response.write(b"")
            body = Body(request, response, injection)
            if not await body.begin():
                return response
            async for data in reply.content.iter_any():
                await self._flowing.wait()
                if not await body.pass_on(data):
                    return response
            await self._flowing.wait()
            if await body.end():
                await response.write_eof()
            return response


def _nothing() -> web.StreamResponse:
    """For a connection that is gone; nobody reads it."""
    return web.Response(status=502)


@asynccontextmanager
async def proxied(kubeconfig: str, folder: Path) -> AsyncIterator[FaultProxy]:
    """A proxy in front of the cluster of a self-contained kubeconfig; `folder` is for its certificates."""
    document = yaml.safe_load(kubeconfig)
    server, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    authority = base64.b64decode(server["certificate-authority-data"]).decode()
    pair = folder / "administrator.pem"
    pair.touch(mode=0o600)
    pair.write_bytes(
        b"".join(base64.b64decode(user[f"client-{part}-data"]) for part in ("certificate", "key"))
    )
    known, unknown = (ssl.create_default_context(cadata=authority) for _ in range(2))
    known.load_cert_chain(pair)
    async with (
        _session(known) as upstream,
        _session(unknown) as anonymous,
        FaultProxy(server["server"], upstream, anonymous).serving(folder) as proxy,
    ):
        yield proxy


def _session(context: ssl.SSLContext) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context, limit=0),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
        trust_env=False,
    )


@pytest.fixture
async def fault_proxy(sandbox_cluster: ClusterForTests, tmp_path: Path) -> AsyncIterator[FaultProxy]:
    """A proxy in front of `sandbox_cluster` that makes faults; see `FaultProxy`."""
    folder = tmp_path / "fault-proxy"
    folder.mkdir()
    async with proxied(sandbox_cluster.kubeconfig, folder) as proxy:
        yield proxy
