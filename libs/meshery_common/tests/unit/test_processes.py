"""Heavy work in a process beside: its answers, its faults, its end."""

from __future__ import annotations

import asyncio
import math
import operator
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import orjson
import pytest
import uvloop

from meshery_common.processes import LONG, WorkerProcess
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


async def test_only_work_on_something_long_is_worth_the_way(worker: WorkerProcess) -> None:
    assert await worker.run_if_long(LONG, os.getpid) == os.getpid()
    assert worker.process_id is None
    assert await worker.run_if_long(LONG + 1, os.getpid) == worker.process_id


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


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_a_caller_who_is_gone_in_the_middle_of_an_answer_holds_nobody_up(
    runner: Callable[[Coroutine[Any, Any, None]], None],
) -> None:
    async def cancelled_while_reading() -> None:
        async with WorkerProcess.open() as worker, asyncio.TaskGroup() as group:
            process_id = await worker.run(os.getpid)
            asking = group.create_task(worker.run(operator.mul, b"x", 300_000_000))
            assert worker._beside is not None
            while len(worker._beside._arrived) < 1_000_000:
                await asyncio.sleep(0)
            asking.cancel()
            async with asyncio.timeout(10):
                assert await worker.run(math.sqrt, 16) == 4
            assert not lives(process_id)

    runner(cancelled_while_reading())


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_a_kill_at_any_moment_is_told_at_once(runner: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def killed() -> None:
        told = 0
        async with WorkerProcess.open() as one, WorkerProcess.open() as other:
            workers = (one, other)
            for moment in range(12):
                process_ids = [await worker.run(os.getpid) for worker in workers]
                async with asyncio.TaskGroup() as group:
                    working = [
                        group.create_task(outcome(worker.run(operator.mul, b"x", 30_000_000)))
                        for worker in workers
                    ]
                    await asyncio.sleep(moment * 0.008)
                    for process_id in process_ids:
                        os.kill(process_id, signal.SIGKILL)
                    async with asyncio.timeout(5):
                        told += sum([isinstance(await one, Unavailable) for one in working])
                for worker in workers:
                    # One that was killed after its answer is told to the next, at the latest.
                    while isinstance(await outcome(worker.run(math.sqrt, 4)), Unavailable):
                        assert worker.process_id is None
        assert told > 0

    runner(killed())


async def outcome(work: Coroutine[Any, Any, object]) -> object:
    """What it gives, or that it is unavailable."""
    try:
        return await work
    except Unavailable as error:
        return error


async def test_one_that_is_stopped_is_told_and_replaced() -> None:
    async with WorkerProcess.open(silence_seconds=0.8) as worker:
        first = await worker.run(os.getpid)
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(outcome(worker.run(time.sleep, 60)))
            await asyncio.sleep(0.1)
            os.kill(first, signal.SIGSTOP)
            answer = await asking
        assert isinstance(answer, Unavailable)
        assert answer.problem.code == "worker_stuck"
        assert not lives(first)
        assert await worker.run(math.sqrt, 4) == 2


async def test_work_that_takes_long_is_not_taken_for_stuck() -> None:
    async with WorkerProcess.open(silence_seconds=0.8) as worker:
        assert await worker.run(sum, range(30_000_000)) > 0
        await worker.run(time.sleep, 3)


async def test_one_that_cannot_start_is_told_at_once_and_comes_back(
    worker: WorkerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "meshery_common" / "__init__.py"
    broken.parent.mkdir()
    broken.write_text("def half(\n")
    with monkeypatch.context() as installation:
        installation.setenv("PYTHONPATH", str(tmp_path))
        for _ in range(2):
            async with asyncio.timeout(10):
                answer = await outcome(worker.run(math.sqrt, 4))
            assert isinstance(answer, Unavailable)
            assert answer.problem.code == "worker_not_started"
        installation.setattr(sys, "executable", str(tmp_path / "gone"))
        answer = await outcome(worker.run(math.sqrt, 4))
        assert isinstance(answer, Unavailable)
        assert answer.problem.probable_cause == ("No such file or directory",)
    assert await worker.run(math.sqrt, 4) == 2
    assert "SyntaxError" in capfd.readouterr().err


async def test_one_whose_modules_changed_under_it_is_replaced(
    worker: WorkerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    module = tmp_path / "half_written_module.py"
    module.write_text("def half(\n")
    first = await worker.run(os.getpid)
    with pytest.raises(SyntaxError):
        await worker.run(eval, "__import__('half_written_module').whole()")
    module.write_text("def whole(): return 'whole'\n")
    assert await worker.run(eval, "__import__('half_written_module').whole()") == "whole"
    assert await worker.run(os.getpid) != first


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
