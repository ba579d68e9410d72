"""Somebody who sends anything, to every route."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import aiohttp
from tests.system.clients import Rest
from tests.system.hostile import Answer
from tests.system.installation import Installation
from yarl import URL

from meshery_common.health import Health
from meshery_gateway.app import all_routes
from meshery_gateway.http.routes import Route
from meshery_gateway.settings import GatewaySettings
from meshery_testkit.threads import InThread

_SHOWN = 40
_SHOWN_CHARACTERS = 500
#: They answer with a stream that does not end.
STREAMS = {"/api/system/events/subscribe"}


def routes() -> list[Route]:
    """Every route."""
    unused: Any = None
    return list(all_routes(GatewaySettings(), unused, unused, Health()))


@dataclass
class Attacker:
    """Somebody on the machine with a client that sends anything."""

    http: aiohttp.ClientSession
    url: str

    @property
    def rest(self) -> Rest:
        """What an honest person uses."""
        return Rest(self.http, self.url)

    async def send(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        data: Any = None,
        what: str = "",
    ) -> Answer:
        """Send it, the path as it is, and give the answer."""
        what = f"{method} {path} {what}"
        try:
            async with self.http.request(
                method,
                URL(self.url + path, encoded=True),
                data=BytesIO(data) if isinstance(data, bytes) else data,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=30),
            ) as reply:
                stream = reply.content_type == "text/event-stream"
                text = "" if stream else (await reply.read()).decode(errors="replace")
                return Answer(what, reply.status, text)
        except (aiohttp.ClientError, TimeoutError) as error:
            return Answer(what, 0, f"{type(error).__name__}: {error}")

    async def send_all(self, attacks: Iterable[Any]) -> list[str]:
        """Send everything, some at a time; gives what is wrong with the answers."""
        gate = asyncio.Semaphore(8)

        async def one(attack: Any) -> Answer:
            async with gate:
                answer: Answer = await attack
                return answer

        answers = await asyncio.gather(*(one(attack) for attack in attacks))
        return sorted({wrong for answer in answers if (wrong := answer.wrong())})

    async def still_serves(self) -> None:
        """Everything works as before."""
        rest = self.rest
        [design] = await rest.command(
            "POST", "/api/pattern", body={"name": "after", "save": True, "pattern_data": {}}
        )
        assert (await rest.get(f"/api/pattern/{design['id']}"))["name"] == "after"
        await rest.command("DELETE", f"/api/pattern/{design['id']}")
        for path in ("/healthz/ready", "/api/user", "/api/system/events", "/api/integrations/connections"):
            await rest.get(path)


@asynccontextmanager
async def attacking(url: str) -> AsyncIterator[Attacker]:
    """Somebody at an installation, for the time of the block."""
    # A connection for each: what one attack does to its connection is not blamed on the next.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
        yield Attacker(http, url)


@contextmanager
def attacked(home: Path) -> Iterator[str]:
    """An installation for all tests of a module, in a thread of its own; gives its URL."""
    one = InThread("attacked", lambda: Installation.started(home, separate=False))
    try:
        yield one.value.running.url
    finally:
        one.close()


def nothing(wrong: Iterable[str]) -> None:
    """Fail with a line for each thing that is wrong."""
    found = [one for one in wrong if one]
    if found:
        shown = "\n".join(one[:_SHOWN_CHARACTERS] for one in found[:_SHOWN])
        raise AssertionError(f"{len(found)} answers are not as they should be, the first {_SHOWN}:\n{shown}")


def filled(route: Route, value: str = "") -> str:
    """The route's path with this value in it, or with ids that nothing has."""
    # No slash is left as it is, or another route would be meant.
    part = quote(value, safe="") if value else str(uuid4())
    return re.sub(r"\{[^}]*\}", lambda _: part, route.path)


async def raw(attacker: Attacker, content: bytes) -> str:
    """Send bytes, say no more, and give what comes until the end or a second of silence."""
    url = URL(attacker.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    received = b""
    try:
        writer.write(content)
        await writer.drain()
        async with asyncio.timeout(5):
            while chunk := await asyncio.wait_for(reader.read(65536), 3.0 if not received else 0.3):
                received += chunk
                if b"text/event-stream" in received:
                    break
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return received.decode(errors="replace")


async def raw_request(
    attacker: Attacker, method: str, path: str, headers: list[tuple[str, str]], body: bytes
) -> Answer:
    """A request with headers as they are, whatever is in them."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {URL(attacker.url).authority}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n"
    text = await raw(attacker, head + body)
    answered = re.match(r"HTTP/1\.[01] (\d+)", text)
    status = int(answered[1]) if answered else 0
    what = f"{method} {path} {headers}"
    _, _, content = text.partition("\r\n\r\n")
    return Answer(what, status, content)
