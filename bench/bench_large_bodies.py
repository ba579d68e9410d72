"""A reply of 8 and of 32 MiB over the bus, beside JetStream's object store with the same bytes on the same server.

Everything in one process, so that both pay for both ends. The object store is used at its best: chunks of 1 MiB and a
consumer read by hand, as nats-py's own `get` takes five times as long. Rounds alternate; what counts are medians.
Goals: at most 1.5 times the object store, and a small request beside it waits 50 ms at most.
"""

from __future__ import annotations

import asyncio
import hashlib
import statistics
import sys
import time
from collections.abc import Coroutine
from typing import Any

import nats
import uvloop
from homes import throw_away_home
from nats.js.api import ObjectMeta, ObjectMetaOptions
from nats.js.object_store import ObjectStore

from meshery_common.bus import Bus, BusSettings
from meshery_contracts.caller import Caller
from meshery_contracts.endpoints import Endpoint, public
from meshery_contracts.messages import Message
from meshery_embedded.nats import nats_server

MIB = 1024 * 1024
SIZES_MIB = (8, 32)
ROUNDS = 5
GOAL_RATIO = 1.5
GOAL_WAIT_MS = 50.0


class Ask(Message):
    """How much is wanted."""

    size: int = 0


class Answer(Message):
    """So much."""

    text: str


GIVE = Endpoint("meshery.rpc.bench.v1.give_text", Ask, Answer, key=public("A benchmark."), timeout_seconds=60)


async def give(request: Ask, _caller: Caller) -> Answer:
    """An answer of about the size that is wanted."""
    return Answer(text="x" * request.size)


async def through_the_store(store: ObjectStore, body: bytes, digest: bytes) -> None:
    """Put it, read it chunk by chunk, delete it."""
    info = await store.put("body", body, ObjectMeta(options=ObjectMetaOptions(max_chunk_size=MIB)))
    subject = f"$O.bench.C.{info.nuid}"
    subscription = await store._js.subscribe(subject, ordered_consumer=True)
    read = b"".join([(await subscription.next_msg(timeout=30)).data for _ in range(info.chunks or 0)])
    await subscription.unsubscribe()
    await store.delete("body")
    if await asyncio.to_thread(lambda: hashlib.sha256(read).digest()) != digest:
        raise RuntimeError("the object store gave something else")


async def through_the_bus(client: Bus, size: int) -> None:
    """Ask for it."""
    answer = await client.request_bytes(GIVE, Ask(size=size).model_dump_json().encode())
    if len(answer) <= size:
        raise RuntimeError("the bus gave something else")


async def timed(client: Bus, work: Coroutine[Any, Any, None]) -> tuple[float, float]:
    """How long it takes, and the longest wait of a small request meanwhile, in milliseconds."""
    waits: list[float] = [0.0]
    over = asyncio.Event()

    async def small() -> None:
        while not over.is_set():
            started = time.perf_counter()
            await client.request_bytes(GIVE, b'{"size": 100}')
            waits.append(time.perf_counter() - started)

    async with asyncio.TaskGroup() as group:
        group.create_task(small())
        started = time.perf_counter()
        await work
        took = time.perf_counter() - started
        over.set()
    return took * 1000, max(waits) * 1000


async def main() -> int:
    """Run it; 1 when a goal was missed."""
    missed = False
    with throw_away_home() as home:
        async with nats_server(data=home, config="", port=0, monitor_port=0) as server:
            settings = BusSettings(url=server.url)
            raw = await nats.connect(server.url)
            store = await raw.jetstream(timeout=30).create_object_store("bench")
            async with (
                Bus.connect(settings, service="bench") as service,
                Bus.connect(settings, service="client") as client,
            ):
                await service.serve(GIVE, give)
                await service.announce()
                for size in SIZES_MIB:
                    body = b"x" * size * MIB
                    digest = hashlib.sha256(body).digest()
                    ours, theirs = [], []
                    for _ in range(ROUNDS):
                        ours.append(await timed(client, through_the_bus(client, size * MIB)))
                        theirs.append(await timed(client, through_the_store(store, body, digest)))
                    took, wait = (statistics.median(one) for one in zip(*ours, strict=True))
                    bare, _ = (statistics.median(one) for one in zip(*theirs, strict=True))
                    print(
                        f"{size} MiB: bus {took:.0f} ms, object store {bare:.0f} ms, small waits {wait:.0f} ms"
                    )
                    missed |= took > bare * GOAL_RATIO or wait > GOAL_WAIT_MS
            await raw.close()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
