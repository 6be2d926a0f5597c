"""Decoder processes: their limits, what happens to a file that breaks one, and who waits for whom."""

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import time

import pytest

from framegate.domain.errors import ReferenceUnusable
from framegate.domain.machine import REAL_MACHINE, Machine
from framegate.media import calls
from framegate.media.decoder import Budget, DecoderFault, DecoderPool, FileLimitExceeded, Lane
from framegate.media.decoder import pool as pool_module
from framegate.media.decoder.queue import FairQueue, PixelBudget
from framegate.media.decoder.wire import Answer, load_answer
from framegate.media.file_info import FileInfo
from support.paths import PHOTOS

pytestmark = pytest.mark.anyio
IMPORTED = "import framegate.app.asgi, sys; print(sorted({'av', 'cv2', 'PIL', 'numpy'} & set(sys.modules)))"


def test_the_gateway_does_not_load_what_decodes():
    answer = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, check=True, text=True)
    assert answer.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
async def pool():
    pool = DecoderPool({Lane.INSPECT: 1}, memory_bytes_max=400 * 2**20, clock=REAL_MACHINE)
    yield pool
    await pool.close()


async def inspects(pool) -> bool:
    info = await pool.run(calls.inspect_image, PHOTOS / "cat.png", 10**8)
    return isinstance(info, FileInfo) and info.image is not None and info.image.width > 100


async def test_a_call_that_takes_too_much_memory_ends_and_the_next_one_works(pool):
    with pytest.raises(FileLimitExceeded, match="400 MiB") as error:
        await pool.run(bytes, 2**30)
    assert error.value.resource == "memory"
    assert await inspects(pool)


async def test_a_call_that_takes_too_much_time_is_killed_and_the_next_one_works(pool):
    with pytest.raises(FileLimitExceeded, match=r"0\.1 seconds") as error:
        await pool.run(pow, 3, 10**9, budget=Budget(cpu_seconds=0.1))
    assert error.value.resource == "time"
    assert await inspects(pool)


async def test_a_crash_is_an_error_of_its_call_alone(pool):
    with pytest.raises(DecoderFault, match=str(-signal.SIGSEGV)):
        await pool.run(signal.raise_signal, signal.SIGSEGV)
    assert await inspects(pool)


async def test_a_call_that_waits_without_end_is_stopped(pool, monkeypatch):
    monkeypatch.setattr(pool_module, "WALL_SECONDS_MIN", 0.2)
    with pytest.raises(FileLimitExceeded, match="seconds"):
        await pool.run(time.sleep, 60, budget=Budget(cpu_seconds=0.01))
    assert await inspects(pool)


async def test_a_cancelled_call_frees_its_place(pool):
    task = asyncio.create_task(pool.run(time.sleep, 60))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await inspects(pool)


async def test_errors_of_files_and_of_the_system_come_through(pool, tmp_path):
    (tmp_path / "page").write_text("<html>")
    with pytest.raises(ReferenceUnusable) as error:
        await pool.run(calls.inspect_image, tmp_path / "page", 100)
    assert error.value.code == "reference_is_html"
    with pytest.raises(FileNotFoundError):
        await pool.run(calls.inspect_image, tmp_path / "missing", 100)
    with pytest.raises(DecoderFault, match="ZeroDivisionError"):
        await pool.run(divmod, 1, 0)


async def test_a_decoder_process_has_no_credentials_and_few_files(pool, monkeypatch):
    monkeypatch.setenv("FAL_KEY", "secret")
    assert await pool.run(os.getenv, "FAL_KEY") is None
    assert await pool.run(os.getenv, "PATH") == os.environ["PATH"]
    with pytest.raises(DecoderFault, match="not a value"):
        await pool.run(list, [os.system])


@pytest.mark.parametrize("value", [print, os.system, subprocess.Popen, pickle.loads, object()])
def test_an_answer_can_only_be_a_value(value):
    with pytest.raises(pickle.UnpicklingError):
        load_answer(pickle.dumps(Answer("result", value)))


async def test_those_who_wait_take_turns_by_share():
    queue, order = FairQueue(1), []

    async def work(share: str, name: str) -> None:
        async with queue.place(share):
            order.append(name)
            await asyncio.sleep(0)

    async with queue.place("hostile"):
        waiting = [asyncio.create_task(work("hostile", f"h{number}")) for number in range(5)]
        await asyncio.sleep(0)
        waiting += [asyncio.create_task(work("good", f"g{number}")) for number in range(2)]
        cancelled = asyncio.create_task(work("gone", "x"))
        await asyncio.sleep(0)
        cancelled.cancel()
    await asyncio.gather(*waiting)
    assert order == ["h0", "g0", "h1", "g1", "h2", "h3", "h4"]
    assert len(queue) == 0


async def test_pixels_in_flight_stay_within_the_budget():
    budget, in_flight, worst = PixelBudget(100), 0, 0

    async def decode(pixels: int) -> None:
        nonlocal in_flight, worst
        async with budget.reserve(pixels):
            in_flight += min(pixels, 100)
            worst = max(worst, in_flight)
            await asyncio.sleep(0)
            in_flight -= min(pixels, 100)

    await asyncio.gather(*map(decode, [60, 60, 0, 30, 500, 10, 100, 1]))
    assert worst <= 100
    assert in_flight == 0


async def test_a_queue_that_does_not_move_is_noticed():
    class SteppedClock(Machine):
        seconds = 0.0

        def monotonic(self) -> float:
            return self.seconds

    clock = SteppedClock()
    pool = DecoderPool({Lane.CHECK: 1}, memory_bytes_max=2**30, clock=clock)
    async with pool._queues[Lane.CHECK].place(""):
        waiting = asyncio.create_task(pool.run(abs, 1, budget=Budget(lane=Lane.CHECK)))
        await asyncio.sleep(0)
        assert pool.stalled() is None
        clock.seconds = pool_module.STALLED_SECONDS + 1
        assert "1 file checks wait (check)" in (pool.stalled() or "")
        waiting.cancel()
    await pool.close()
