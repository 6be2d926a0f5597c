"""Needs 6, 7, 9, 15, 17, 20 and 22: an order is followed to its true end, and its video is kept and looked at."""

import io
import json
from itertools import groupby

import numpy as np
import pytest
from PIL import Image

from support.gpu_servers import ServerState
from support.studio import DONE, PENDING, Studio, clip
from support.studio_client import Client, image

PUBLIC = {"pending", "in_progress", "completed", "failed", "cancelled", "expired"}
GPU = {"model": "wan/vace-1.3b", "resolution": None}


def told(client: Client, job_id: str) -> list[dict]:
    """Every event of a job that is over."""
    with client.http.stream("GET", f"/videos/{job_id}/events") as stream:
        return [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: ")]


def findings(client: Client, job: dict) -> dict[str, str]:
    report = client.http.get(f"/videos/{job['id']}/report").json()
    return {one["name"]: one["verdict"] for one in report["findings"]}


def test_06_a_wait_that_ends_too_early_neither_loses_nor_repeats_the_job(client: Client, service: Studio):
    plan = service.plan("take-long", looks=[PENDING])
    job_id = client.placed("take-long")
    service.until("take-long")
    assert client.job(job_id, wait=1)["status"] == "in_progress", "the wait was in vain, and says so"
    plan.looks[:] = [DONE]

    assert client.job(job_id, wait=60)["status"] == "completed"
    assert len(service.taken("take-long")) == 1


def test_07_a_look_that_fails_is_not_a_job_that_failed(client: Client, service: Studio):
    blips = [500, "cut", 429, "<html>Bad gateway</html>", 401, 404, {"status": None}, 503]
    service.plan("take-blips", looks=[PENDING, *blips, DONE])
    job = client.made("take-blips")

    assert job["status"] == "completed", job
    assert len(service.taken("take-blips")) == 1


@pytest.mark.parametrize("word", ["expired", "cancelled", "failed"])
def test_09_foreign_words_become_six_and_every_end_is_an_end(word: str, client: Client, service: Studio):
    service.plan(f"take-{word}", looks=[{"status": "HYPERTHINKING"}, {"status": "processing"}, {"status": word}])
    job = client.made(f"take-{word}")

    assert (job["status"], job["error_code"]) == ("failed", f"provider_{word}")
    statuses = [event["status"] for event in told(client, job["id"])]
    assert set(statuses) <= PUBLIC
    assert statuses[-1] == "failed"
    assert len(service.taken(f"take-{word}")[0].looked_by) == 3, "no end at a word that nobody knows, none missed"


def test_15_the_video_stays_after_the_services_link_has_died(client: Client, service: Studio):
    plan = service.plan("take-kept")
    job = client.made("take-kept")
    plan.film = None
    answer = client.content(job)

    assert answer.status_code == 200
    assert answer.headers["etag"] == f'"{job["outputs"][0]["sha256"]}"'
    assert len(answer.content) == job["outputs"][0]["bytes"]
    without_key = client.http.get(job["unsigned_urls"][0], headers={"authorization": ""})
    assert without_key.content == answer.content, "and so does the link that the gateway gives"


def test_17_a_video_is_measured_against_the_request_and_the_references(client: Client, service: Studio, photo: bytes):
    still = np.asarray(Image.open(io.BytesIO(photo)).convert("RGB").resize((854, 480)))
    service.plan("take-right", film=clip(still))
    references = [image(client.upload(photo))]
    right = client.made("take-right", input_references=references)
    wrong = client.made("take-wrong-size-and-length", duration=3, input_references=references)

    found = findings(client, right)
    assert {found[name] for name in ("decodes", "size", "duration", "reference")} == {"pass"}
    found = findings(client, wrong)
    assert (found["size"], found["duration"]) == ("fail", "fail")
    assert found["reference"] != "pass"
    assert (wrong["status"], wrong["quality"]) == ("completed", "fail")


def test_17_a_file_that_does_not_play_is_fetched_again_and_no_completed_job(client: Client, service: Studio):
    whole = clip(np.zeros((36, 64, 3), np.uint8))
    plan = service.plan("take-torn", film=whole[:700])
    job_id = client.placed("take-torn")
    content = f"/{service.until('take-torn').id}/content"
    for _ in range(60):
        if any(path.endswith(content) for path in service.asked):
            break
        assert client.job(job_id, wait=1)["status"] == "in_progress"
    plan.film = whole

    assert client.job(job_id, wait=60)["status"] == "completed"
    assert sum(path.endswith(content) for path in service.asked) >= 2
    assert len(service.taken("take-torn")) == 1


def test_20_the_same_request_is_made_on_an_engine_of_ones_own(client: Client, gpu: ServerState, pixel: str):
    job = client.made("it turns", **GPU, input_references=[image(pixel)])

    assert (job["status"], job["provider"]) == ("completed", "vllm_omni"), job
    assert job["usage"]["cost"] == 0
    assert set(job) >= set(client.made("take-the-same")) - {"warnings", "error"}, "and it is told in the same fields"


def test_20_a_render_that_ran_out_of_memory_fails_and_is_not_in_progress_for_ever(client: Client, gpu: ServerState):
    gpu.fault = "CUDA out of memory"
    job = client.made("it turns again", **GPU)
    gpu.fault = None

    assert job["status"] == "failed"
    assert "out of memory" in job["error"]


def test_22_progress_is_what_the_service_tells_and_is_never_made_up(client: Client, service: Studio, pixel: str):
    waits = [{"status": "IN_QUEUE", "queue_position": 3}, {"status": "IN_PROGRESS"}, {"status": "COMPLETED"}]
    service.plan("take-queued", looks=waits)
    at_fal = client.made("take-queued", provider={"only": ["fal"]}, input_references=[image(pixel)])
    service.plan("take-forty", looks=[{"status": "in_progress", "progress": 40}, DONE])
    forty = client.made("take-forty")

    queued = told(client, at_fal["id"])
    stages = [stage for stage, _ in groupby(event["stage"] for event in queued)]
    assert stages[stages.index("queued, 3 ahead") + 1 :] == ["running", "fetching", "checking", "completed"]
    assert all("progress" not in event for event in queued if event["state"] == "running")
    running = [event.get("progress") for event in told(client, forty["id"]) if event["state"] == "running"]
    assert [one for one in running if one] == [38.0], "of the whole way, with fetching and checking"
