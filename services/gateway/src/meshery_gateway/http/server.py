"""The HTTP server: every route under one middleware that guards, answers errors and counts.

One of the three places that catch everything: an unforeseen exception is logged with the request id and answered
with that id alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import ExitStack, asynccontextmanager
from functools import lru_cache

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from prometheus_client import Counter, Histogram

from meshery_common.bus import new_request_id
from meshery_common.callers import NOBODY
from meshery_common.context import MESSAGE_BYTES, RequestContext, serving
from meshery_common.telemetry import SpanKind, carried, mark_failed, span, trace_id, tracing, working_for
from meshery_contracts.errors import Internal, Invalid, NotFound, Problem, ProblemError, TooLarge, Word
from meshery_gateway.http.calls import Call, Means
from meshery_gateway.http.guards import SECURITY_HEADERS, Guard
from meshery_gateway.http.newcomers import Newcomers
from meshery_gateway.http.problems import problem_response
from meshery_gateway.http.routes import Route
from meshery_gateway.http.sessions import forget_cookies

log = structlog.get_logger()

#: What a middleware is put around.
_Inner = Callable[[web.Request], Awaitable[web.StreamResponse]]

REQUESTS = Counter(
    "meshery_http_requests_total", "HTTP requests, by route and status.", ["method", "route", "status"]
)
SECONDS = Histogram(
    "meshery_http_seconds",
    "Time from an HTTP request to its answer; streams not counted.",
    ["route"],
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
)


#: How long a client may take to read a large answer, in seconds.
_LARGE_ANSWER_SECONDS = 300.0

#: Looking a child up costs more than counting with it.
_seconds = lru_cache(maxsize=None)(SECONDS.labels)
_requests = lru_cache(maxsize=None)(REQUESTS.labels)


class Server:
    """Builds the application around what its calls share."""

    def __init__(self, means: Means, guard: Guard, newcomers: Newcomers) -> None:
        self._means = means
        self._guard = guard
        self._newcomers = newcomers

    def application(self, routes: Iterable[Route]) -> web.Application:
        """The application with all routes. More exact paths come first, as the order of the table says."""
        app = web.Application(middlewares=[self._around], client_max_size=self._means.limits.design_bytes)
        for route in routes:
            serve = self._served(route)
            app.router.add_route(route.method, route.path, serve, expect_handler=_expected)
            if route.method == "GET" and not route.endless:
                app.router.add_route("HEAD", route.path, serve, expect_handler=_expected)
        return app

    def _served(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        keys = route.keys

        async def serve(request: web.Request) -> web.StreamResponse:
            with ExitStack() as taken:
                call = Call(request, self._means, taken)
                if keys:
                    (await call.session()).require_any(keys)
                return await route.handler(call)

        return serve

    @web.middleware
    async def _around(self, request: web.Request, handler: _Inner) -> web.StreamResponse:
        self._newcomers.asked(request)
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "unknown"
        if not tracing():
            return await self._answered(request, handler, route, new_request_id())
        about = {"http.request.method": request.method, "http.route": route, "url.path": request.path}
        name = f"{request.method} {route}"
        with span("gateway", name, SpanKind.SERVER, about, parent=carried(request.headers)) as current:
            # One id finds the log lines and the trace.
            response = await self._answered(request, handler, route, trace_id())
            current.set_attribute("http.response.status_code", response.status)
            if response.status >= 500:
                mark_failed(current)
            return response

    async def _answered(
        self, request: web.Request, handler: _Inner, route: str, request_id: str
    ) -> web.StreamResponse:
        started = time.perf_counter()
        context = RequestContext(caller=NOBODY, request_id=request_id)
        try:
            with serving(context):
                self._guard.check(request)
                response = await handler(request)
        except ProblemError as error:
            response = problem_response(error.problem)
            if error.problem.code == "body_too_slow":
                response.force_close()  # what comes of it later is no request
            if error.word is Word.UNAUTHENTICATED:
                forget_cookies(request, response, error.problem)
        except web.HTTPException as error:
            response = problem_response(_of_http(error, request))
            if isinstance(error, web.HTTPMethodNotAllowed):
                response.headers["Allow"] = _allowed(error)
        except (ConnectionResetError, TimeoutError):
            raise
        except (HttpProcessingError, web.RequestPayloadError) as error:
            log.debug("unreadable request", route=route, reason=type(error).__name__)
            response = problem_response(
                Invalid("The request body cannot be read.", code="body_unreadable").problem
            )
        except Exception:
            log.exception("unforeseen error", route=route, request_id=request_id)
            problem = Internal(
                "Something went wrong on our side.",
                remedy=f"Report this id to whoever runs the system: {request_id}",
                trace_id=request_id,
            ).problem
            response = problem_response(problem)
        if not response.prepared:
            response = await self._sent_if_large(request, _dressed(response, request_id), request_id)
            _seconds(route).observe(time.perf_counter() - started)
        _requests(request.method, route, response.status).inc()
        return response

    async def _sent_if_large(
        self, request: web.Request, response: web.StreamResponse, request_id: str
    ) -> web.StreamResponse:
        """A large answer takes room until the client has read it, for which it has its time."""
        body = response.body if isinstance(response, web.Response) else None
        if not isinstance(body, bytes) or len(body) <= MESSAGE_BYTES:
            return response
        try:
            with self._means.room.take(len(body)):
                async with asyncio.timeout(_LARGE_ANSWER_SECONDS):
                    await response.prepare(request)
                    await response.write_eof()
        except ProblemError as error:
            return _dressed(problem_response(error.problem), request_id)
        except TimeoutError:
            log.info("a large answer was not read in time", path=request.path, bytes=len(body))
            if request.transport is not None:
                request.transport.abort()
        return response


def _dressed(response: web.StreamResponse, request_id: str) -> web.StreamResponse:
    response.headers.update(SECURITY_HEADERS)
    response.headers["X-Request-Id"] = request_id
    return response


async def _expected(request: web.Request) -> web.StreamResponse | None:
    """Tell a client that waits before it sends its body to go on; what else it may expect is not known here."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        assert request.transport is not None  # noqa: S101 -- the request has just come over it
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return None
    problem = Invalid("Nothing but `100-continue` can be expected.", code="expectation_unknown").problem
    return problem_response(problem)


def _of_http(error: web.HTTPException, request: web.Request) -> Problem:
    if error.status == 404:
        return NotFound(
            f"There is nothing at {request.path}.",
            code="route_unknown",
            remedy="GET /openapi.json lists every route.",
        ).problem
    if error.status == 413:
        return TooLarge("The request body is too large.", code="body_too_large").problem
    if error.status == 405:
        return Invalid(
            f"{request.method} is not served at {request.path}.",
            code="method_unknown",
            remedy=f"Use one of: {_allowed(error)}.",
        ).problem
    return Invalid(error.reason or "The request was refused.", code=f"http_{error.status}").problem


def _allowed(error: web.HTTPException) -> str:
    return ", ".join(sorted(getattr(error, "allowed_methods", ())))


@asynccontextmanager
async def listening(app: web.Application, host: str, port: int) -> AsyncIterator[tuple[int, web.Server]]:
    """Serve the application for the time of the block; gives the port, and what knows the connections.

    Raises OSError when the port is taken.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=5, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, reuse_address=True)
        with working_for("gateway"):
            await site.start()
        bound: int = runner.addresses[0][1]
        assert runner.server is not None  # noqa: S101 -- it was set up above
        yield bound, runner.server
    finally:
        await runner.cleanup()
