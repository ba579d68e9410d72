"""What the NATS servers can be told about their connections, by a user of the system account.

He sees who is connected and can end that, nothing else; see `nats_permissions.system_permissions`. What must not be in
here: why somebody is to go.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from nats.aio.msg import Msg
from nats.errors import Error as NATSError
from nats.errors import NoRespondersError

from meshery_common.background import alongside
from meshery_common.bus.connection import Connection
from meshery_common.bus.settings import BusSettings
from meshery_common.nats_permissions import END_CONNECTION, LIST_CONNECTIONS, SYSTEM_USER
from meshery_contracts.errors import Unavailable

#: Nobody knows how many servers there are: all that answer within this are heard.
_ANSWER_SECONDS = 1.0
#: The servers' own limit of one answer.
_MOST_CONNECTIONS = 1024


class Servers:
    """All servers of a cluster. Made by `Servers.connect`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def connect(cls, settings: BusSettings) -> AsyncIterator[Servers]:
        """As the system user whose seed the settings hold, for the time of the block. Waits for NATS for ever."""
        connection = Connection(settings, SYSTEM_USER)
        await connection.open()
        async with alongside(connection.keep()):
            try:
                yield cls(connection)
            finally:
                await connection.drain(_nothing)

    async def end_connections(self, user: str) -> int:
        """End every connection of the user of this name; how many there were. Raises Unavailable.

        Whoever is just being let in is not seen yet.
        """
        try:
            return await self._end(user)
        except NATSError as error:
            raise Unavailable("The NATS servers cannot be asked now.", code="bus_unreachable") from error

    async def _end(self, user: str) -> int:
        client = self._connection.client
        inbox = client.new_inbox()
        arrived: asyncio.Queue[Msg] = asyncio.Queue()
        subscription = await client.subscribe(inbox, cb=arrived.put)
        ended = 0
        try:
            question = {"auth": True, "user": user, "limit": _MOST_CONNECTIONS}
            await client.publish(LIST_CONNECTIONS, orjson.dumps(question), reply=inbox)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ANSWER_SECONDS):
                    while True:
                        ended += await self._end_on_server(orjson.loads((await arrived.get()).data))
        finally:
            await subscription.unsubscribe()
        return ended

    async def _end_on_server(self, answer: dict[str, Any]) -> int:
        """End what one server has told of."""
        found = answer.get("data", {}).get("connections") or []
        subject = END_CONNECTION.replace("*", answer["server"]["id"])
        for one in found:
            # A server does only what it may confirm. One that has ended meanwhile has ended its connections, too.
            with contextlib.suppress(NoRespondersError):
                await self._connection.client.request(
                    subject, orjson.dumps({"cid": one["cid"]}), timeout=_ANSWER_SECONDS
                )
        return len(found)


async def _nothing() -> None:
    """Nobody asks us anything."""
