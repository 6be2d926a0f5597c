"""Checks of finished files: what a job becomes if its file is faulty, breaks a limit, or cannot be checked here."""

import shutil
from unittest.mock import patch

import pytest

from framegate.domain import State
from framegate.media import calls
from framegate.media.decoder import DecoderFault, DecoderUnavailable, FileLimitExceeded
from support.stub_renderer import StubExecutor
from support.tiny_video import make_video

pytestmark = pytest.mark.anyio
LIMIT = FileLimitExceeded("Decoding the file takes more than 20 seconds, the maximum.", resource="time")
UNAVAILABLE = DecoderUnavailable()


def failing(error: Exception, *functions, times: int = 10**6):
    """Let calls of some functions fail."""
    run, left = StubExecutor.run, [times]

    async def fail(self, function, *args, **options):
        if function in functions and left[0] > 0:
            left[0] -= 1
            raise error
        return await run(self, function, *args, **options)

    return patch.object(StubExecutor, "run", fail)


async def finished(gateway):
    async with gateway.open():
        job = await gateway.end(await gateway.create("a check"))
        return job, await gateway.jobs.output(job.id, owner="default")


async def test_a_faulty_file_is_delivered_and_flagged_for_a_refund(world, tmp_path):
    gateway = world()
    shutil.copy(make_video(tmp_path / "day.mp4", frames=2, times=[0, 24 * 10**5]), gateway.provider.film)
    job, _ = await finished(gateway)

    assert (job.state, job.cost_micro_usd) == (State.COMPLETED, 120_000)
    assert job.report["file_verdict"] == "fail"
    (warning,) = [warning for warning in job.warnings if warning.code == "output_faulty"]
    assert "The file is faulty." in warning.message
    assert "refund" in warning.message


@pytest.mark.parametrize(
    ("error", "functions"),
    [
        (LIMIT, [calls.verify_output]),
        (LIMIT, [calls.verify_output, calls.describe_unverified, calls.make_playable]),
        (DecoderFault("it crashed"), [calls.verify_output, calls.describe_unverified, calls.make_playable]),
        (UNAVAILABLE, [calls.verify_output]),
    ],
    ids=["limit", "limit everywhere", "crash", "unavailable until the deadline"],
)
async def test_a_file_that_cannot_be_checked_is_delivered_with_a_report_that_says_why(world, error, functions):
    with failing(error, *functions):
        job, output = await finished(world())

    assert (job.state, output.blob.media_type) == (State.COMPLETED, "video/mp4")
    assert (job.report["verdict"], job.report["file_verdict"]) == ("warn", "warn")
    assert "The quality report failed" in job.report["headline"] + job.report["findings"][0]["sentence"]


async def test_a_check_that_cannot_run_here_is_repeated(world):
    with failing(UNAVAILABLE, calls.verify_output, times=3):
        job, output = await finished(world())

    assert (job.state, output.frames, job.report["file_verdict"]) == (State.COMPLETED, 8, "pass")
