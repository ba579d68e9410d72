"""Heavy work in a process beside: its answers, its faults, its end."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator

import orjson
import pytest

from meshery_common.processes import WorkerProcess
from meshery_contracts.errors import Unavailable


@pytest.fixture
async def worker() -> AsyncIterator[WorkerProcess]:
    async with WorkerProcess.open() as one:
        yield one


def lives(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


async def test_work_is_done_in_another_process_that_is_kept(worker: WorkerProcess) -> None:
    assert worker.process_id is None
    process_id = await worker.run(os.getpid)
    assert process_id != os.getpid()
    assert await asyncio.gather(*(worker.run(math.factorial, n) for n in range(5))) == [1, 1, 2, 6, 24]
    assert await worker.run(os.getpid) == process_id == worker.process_id


async def test_large_values_cross_the_border(worker: WorkerProcess) -> None:
    data = os.urandom(3_000_000)
    assert await worker.run(bytes.upper, data) == data.upper()


async def test_the_loop_goes_on_meanwhile(worker: WorkerProcess) -> None:
    await worker.run(os.getpid)
    working = asyncio.ensure_future(worker.run(time.sleep, 0.3))  # noqa: TID251 - awaited below
    started = time.monotonic()
    await asyncio.sleep(0.01)
    assert time.monotonic() - started < 0.2
    await working


async def test_errors_come_back_with_where_they_happened(worker: WorkerProcess) -> None:
    with pytest.raises(orjson.JSONDecodeError) as caught:
        await worker.run(orjson.loads, "no json")
    assert "in the process beside" in caught.value.__notes__[0]
    assert await worker.run(math.sqrt, 4) == 2


async def test_what_the_work_prints_is_no_answer(
    worker: WorkerProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    await worker.run(print, "hello from beside")
    assert await worker.run(math.sqrt, 9) == 3


async def test_a_process_that_dies_is_told_and_replaced(worker: WorkerProcess) -> None:
    first = await worker.run(os.getpid)
    with pytest.raises(Unavailable) as caught:
        await worker.run(os._exit, 9)
    assert caught.value.problem.code == "worker_died"
    assert await worker.run(os.getpid) != first


async def test_one_that_was_killed_between_two_questions_is_replaced(worker: WorkerProcess) -> None:
    os.kill(await worker.run(os.getpid), signal.SIGKILL)
    with pytest.raises(Unavailable):
        await worker.run(os.getpid)
    assert await worker.run(os.getpid)


async def test_a_caller_who_is_gone_holds_nobody_up(worker: WorkerProcess) -> None:
    process_id = await worker.run(os.getpid)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await worker.run(time.sleep, 60)
    assert not lives(process_id)
    async with asyncio.timeout(10):
        assert await worker.run(math.sqrt, 16) == 4


async def test_an_idle_process_ends_and_comes_back() -> None:
    async with WorkerProcess.open(idle_seconds=0.1) as worker:
        process_id = await worker.run(os.getpid)
        async with asyncio.timeout(10):
            while lives(process_id):
                await asyncio.sleep(0.02)
        assert worker.process_id is None
        assert await worker.run(os.getpid) != process_id


async def test_no_process_is_left_behind() -> None:
    async with WorkerProcess.open() as worker:
        process_id = await worker.run(os.getpid)
    assert not lives(process_id)


async def test_it_starts_from_a_process_full_of_threads_that_hold_locks(worker: WorkerProcess) -> None:
    lock, stop = threading.Lock(), threading.Event()

    def hold() -> None:
        while not stop.is_set():
            with lock:
                stop.wait(0.001)

    threads = [threading.Thread(target=hold) for _ in range(50)]
    for thread in threads:
        thread.start()
    try:
        async with asyncio.timeout(20):
            assert await worker.run(math.sqrt, 25) == 5
    finally:
        stop.set()
        for thread in threads:
            thread.join()


async def test_it_imports_nothing_of_the_program_that_started_it(worker: WorkerProcess) -> None:
    loaded = await worker.run(eval, "sorted(__import__('sys').modules)")
    assert sys.modules["__main__"].__name__ == "__main__"
    assert not [name for name in loaded if name.split(".")[0] in {"pytest", "_pytest", "asyncpg", "aiohttp"}]


async def test_keyword_arguments_are_refused(worker: WorkerProcess) -> None:
    with pytest.raises(TypeError, match="positional"):
        await worker.run(sorted, [1], key=None)


async def test_work_that_needs_too_much_memory_fails_alone() -> None:
    async with WorkerProcess.open(memory_bytes=300_000_000) as worker:
        with pytest.raises(MemoryError):
            await worker.run(bytes, 400_000_000)
        assert await worker.run(len, b"abc") == 3
