"""What the native dialect promises beyond single answers: lists, waiting, events, files, keys, uploads."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from framegate.api.http.signed_urls import UrlSigner
from framegate.domain import Job
from framegate.domain.errors import NotFound
from framegate.jobs.service import JobService
from support.fixed_clock import FixedClock
from support.opened import call, parts_of

REQUIRED = {
    "id",
    "canonical_slug",
    "name",
    "created",
    "supported_resolutions",
    "supported_aspect_ratios",
    "supported_sizes",
    "supported_durations",
    "supported_frame_images",
    "generate_audio",
    "seed",
    "upscale_factor",
    "creativity",
    "allowed_passthrough_parameters",
}


def wanted(photo: str, **more: object) -> dict[str, Any]:
    reference = {"type": "image_url", "image_url": {"url": photo}}
    body = {"model": "framegate/animatic", "prompt": "pan left", "duration": 1, "resolution": "360p"}
    return {**body, "input_references": [reference], **more}


def placed(gateway: TestClient, photo: str, **more: object) -> dict[str, Any]:
    answer = gateway.post("/videos", json=wanted(photo, **more))
    assert answer.status_code == 202, answer.text
    return answer.json()


def finished(gateway: TestClient, photo: str, **more: object) -> dict[str, Any]:
    job = gateway.get(placed(gateway, photo, **more)["polling_url"], params={"wait": 60}).json()
    assert job["status"] == "completed", job
    return job


def upload(gateway: TestClient, path: Path, **headers: str) -> str:
    answer = gateway.post("/assets", content=path.read_bytes(), headers={"content-type": "image/png", **headers})
    assert answer.status_code == 201, answer.text
    return answer.json()["url"]


def events_of(text: str) -> list[dict[str, Any]]:
    """The events of a stream, each with its number and name."""
    found: list[dict[str, Any]] = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            found.append({"number": int(fields["id"]), "name": fields["event"], **json.loads(fields["data"])})
    return found


def test_every_model_has_openrouters_keys_and_can_be_asked_for_alone(gateway: TestClient):
    records = gateway.get("/videos/models").json()["data"]

    assert len(records) > 10
    for record in records:
        assert record.keys() >= REQUIRED
        assert gateway.get(f"/videos/models/{record['id']}").json() == record


def test_jobs_are_listed_newest_first_page_by_page(open_gateway: Callable[..., TestClient], photos: tuple[Path, ...]):
    gateway = open_gateway()
    photo = upload(gateway, photos[0])
    ids = [finished(gateway, photo, seed=seed)["id"] for seed in range(3)]
    first = gateway.get("/videos", params={"limit": 2}).json()
    second = gateway.get("/videos", params={"limit": 2, "after": first["next"]}).json()

    assert [job["id"] for job in (*first["data"], *second["data"])] == ids[::-1]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert "next" not in second
    assert first["data"][0] == gateway.get(f"/videos/{ids[2]}").json()
    assert gateway.get("/videos", params={"status": ["failed", "cancelled"]}).json()["data"] == []
    assert len(gateway.get("/videos", params={"model": "framegate/animatic"}).json()["data"]) == 3
    assert gateway.get("/videos", params={"model": "google/veo-3.1"}).json()["data"] == []


def test_events_tell_every_change_once_and_end_with_the_job(gateway: TestClient, photo: str):
    job = placed(gateway, photo)
    stream = gateway.get(job["events_url"])
    events = events_of(stream.text)

    assert stream.headers["content-type"].startswith("text/event-stream")
    assert [event["number"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["name"] == "status"
    assert [event["name"] for event in events].count("done") == 1
    assert events[-1]["name"] == "done"
    assert events[-1]["job"] == gateway.get(job["polling_url"]).json()
    progress = [event["progress"] for event in events if "progress" in event]
    assert progress == sorted(progress)
    assert progress[-1] == 100


def test_events_go_on_where_a_client_stopped(gateway: TestClient, photo: str):
    url = finished(gateway, photo)["events_url"]
    events = events_of(gateway.get(url).text)
    rest = events_of(gateway.get(url, headers={"last-event-id": "3"}).text)

    assert rest[-1] == events[-1]
    assert [event["number"] for event in rest] == list(range(4, len(events) + 1))
    assert events_of(gateway.get(url, params={"after": 3}).text) == rest
    assert events_of(gateway.get(url, params={"after": len(events)}).text) == []


def test_events_of_a_job_that_is_deleted_meanwhile_just_end(
    gateway: TestClient, photo: str, monkeypatch: pytest.MonkeyPatch
):
    job = finished(gateway, photo)
    real, calls = JobService.get, 0

    async def deleted_after_two_looks(self: JobService, job_id: str, *, owner: str) -> Job:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise NotFound
        return await real(self, job_id, owner=owner)

    monkeypatch.setattr(JobService, "get", deleted_after_two_looks)
    events = events_of(gateway.get(job["events_url"]).text)

    assert events
    assert "done" not in [event["name"] for event in events]


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "9" * 20, "٣"])
def test_a_last_event_id_that_is_none_is_refused(gateway: TestClient, photo: str, number: str):
    url = finished(gateway, photo)["events_url"]

    assert gateway.get(url, headers=[(b"last-event-id", number.encode())]).status_code == 400


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/videos?limit=many", "The query parameter `limit` should be a valid integer."),
        (f"/assets/{'0' * 64}", "The query parameter `type` is required."),
        ("/spend?since=2026-13-45", "`since` must be a day such as 2026-11-01, not `2026-13-45`."),
        ("/spend?since=2026-11-02&until=2026-11-01", "`since` (2026-11-02) is after `until` (2026-11-01);"),
    ],
)
def test_a_parameter_that_cannot_be_is_told_with_its_rule(gateway: TestClient, path: str, said: str):
    answer = gateway.get(path)

    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


def test_the_file_is_served_whole_and_in_ranges(gateway: TestClient, photo: str):
    job = finished(gateway, photo)
    url, output = job["unsigned_urls"][0], job["outputs"][0]
    whole = gateway.get(url)
    part = gateway.get(url, headers={"range": "bytes=4-7"})

    assert whole.headers["content-type"] == "video/mp4"
    assert len(whole.content) == output["bytes"]
    assert whole.headers["etag"] == f'"{output["sha256"]}"'
    assert (part.status_code, part.content) == (206, b"ftyp")
    assert gateway.get(url, headers={"if-none-match": whole.headers["etag"]}).status_code == 304


def test_a_lost_file_is_gone(open_gateway: Callable[..., TestClient], photos: tuple[Path, ...], tmp_path: Path):
    gateway = open_gateway()
    job = finished(gateway, upload(gateway, photos[0]))
    sha256 = job["outputs"][0]["sha256"]
    (file,) = (path for path in (tmp_path / "data" / "blobs").rglob(f"*{sha256}*") if path.is_file())
    file.write_bytes(file.read_bytes()[:-1])
    half = gateway.get(job["unsigned_urls"][0])
    file.unlink()
    none = gateway.get(job["unsigned_urls"][0])

    assert (half.status_code, none.status_code) == (410, 410)


def test_an_upload_is_the_same_asset_raw_or_in_a_form(gateway: TestClient, photos: tuple[Path, ...]):
    data = photos[0].read_bytes()
    raw = gateway.post("/assets", content=data, headers={"content-type": "image/png"}).json()
    form = gateway.post("/assets", files={"file": ("a.png", data, "image/png")}).json()

    assert raw == form
    assert raw["url"] == f"asset://{raw['sha256']}"
    assert (raw["bytes"], raw["media_type"]) == (len(data), "image/png")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "image/png", 400),
        (b"<html></html>", "image/png", 400),
        (b"\x89PNG\r\n\x1a\n", "image/png", 400),
        (b"text", "text/plain", 415),
        (b"text", "", 415),
    ],
)
def test_what_is_no_picture_video_or_sound_is_not_kept(gateway: TestClient, body: bytes, kind: str, status: int):
    answer = gateway.post("/assets", content=body, headers={"content-type": kind})

    assert answer.status_code in ({400, 415} if status == 400 else {status}), answer.text
    assert answer.json()["error"]["message"]


def test_an_upload_beyond_the_limit_is_refused(open_gateway: Callable[..., TestClient]):
    gateway = open_gateway(video_bytes_max=5000)
    headers = {"content-type": "application/octet-stream"}

    assert gateway.post("/assets", content=b"x" * 5001, headers=headers).status_code == 413
    assert gateway.post("/assets", files={"file": b"x" * 5001}).status_code == 413


def test_with_a_key_everything_but_the_models_needs_it(open_gateway: Callable[..., TestClient]):
    gateway = open_gateway(api_key="sk-right")

    assert gateway.get("/videos/models").status_code == 200
    for method, path in (
        ("POST", "/videos"),
        ("POST", "/videos/check"),
        ("GET", "/videos?limit=x"),
        ("GET", "/videos/x?wait=x"),
        ("DELETE", "/videos/x"),
        ("POST", "/videos/x/cancel"),
        ("GET", "/videos/x/events"),
        ("GET", "/videos/x/report"),
        ("GET", "/videos/x/content"),
        ("GET", "/videos/x/poster.jpg"),
        ("GET", "/videos/x/contact-sheet.jpg"),
        ("POST", "/assets"),
    ):
        for key in (None, "Bearer sk-wrong", "Bearer", "sk-right", "Basic sk-right", "Bearer sk-rightx"):
            answer = gateway.request(method, path, headers={"authorization": key} if key else {})
            assert answer.status_code == 401, (method, path, key)
            assert answer.headers["www-authenticate"] == "Bearer"
    assert gateway.get("/videos/x", headers={"authorization": "bearer sk-right"}).status_code == 404


def test_the_links_of_a_finished_job_work_without_the_key_until_they_expire(
    open_gateway: Callable[..., TestClient], photos: tuple[Path, ...]
):
    gateway = open_gateway(api_key="sk-right")
    gateway.headers["authorization"] = "Bearer sk-right"
    job = finished(gateway, upload(gateway, photos[0]))
    jobs = parts_of(gateway).jobs
    expired = UrlSigner(secret=jobs.secret, seconds=60, clock=FixedClock(1e9)).query(job["id"], "content/0")
    link = job["unsigned_urls"][0]
    bare = link.partition("?")[0]
    with_key = gateway.get(bare).status_code, gateway.get(f"{bare}?index=0&{expired}").status_code
    del gateway.headers["authorization"]

    assert with_key == (200, 200)
    for url in (link, job["urls"][0], job["poster_url"], job["contact_sheet_url"]):
        assert gateway.get(url).status_code == gateway.head(url).status_code == 200
    for url in (bare, link.replace("index=0", "index=1"), f"{bare}?index=0&{expired}", link[:-1], job["polling_url"]):
        assert gateway.get(url).status_code == 401
    assert "expired" in gateway.get(f"{bare}?index=0&{expired}").json()["error"]["message"]


def test_addresses_are_those_by_which_the_client_came_or_the_public_ones(
    open_gateway: Callable[..., TestClient], tmp_path: Path, photos: tuple[Path, ...]
):
    gateway = open_gateway(public_url="https://video.example/gate/")
    photo = upload(gateway, photos[0])

    assert placed(gateway, photo)["polling_url"].startswith("https://video.example/gate/api/v1/videos/")
    gateway = open_gateway(data_dir=tmp_path / "other")
    photo = upload(gateway, photos[0])
    answer = gateway.post("/videos", json=wanted(photo), headers={"host": "localhost:99"})
    assert answer.json()["polling_url"].startswith("http://localhost:99/api/v1/videos/")


def test_a_page_from_elsewhere_can_do_nothing_with_an_open_gateway(gateway: TestClient, photo: str):
    foreign = {"origin": "https://evil.example"}

    assert gateway.post("/videos", json=wanted(photo), headers=foreign).status_code == 403
    assert gateway.post("/assets", content=b"x", headers=foreign).status_code == 403
    assert gateway.get("/videos", headers={"host": "evil.example"}).status_code == 421
    assert gateway.post("/videos", content=b"{}", headers={"content-type": "text/plain"}).status_code == 415


def test_pages_of_an_allowed_origin_get_their_cors_headers(open_gateway: Callable[..., TestClient]):
    gateway = open_gateway(allowed_origins=("https://app.example",))
    asked = {"origin": "https://app.example", "access-control-request-method": "POST"}
    answer = gateway.options("/videos", headers=asked)

    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert gateway.options("/videos", headers={**asked, "origin": "https://evil.example"}).status_code == 403


def test_the_unforeseen_is_a_500_that_tells_nothing(
    open_gateway: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
):
    async def broken(*_: object, **__: object) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("the secret is xyzzy")

    gateway = open_gateway()
    monkeypatch.setattr(JobService, "get", broken)
    with pytest.raises(RuntimeError):
        gateway.get("/videos/x")
    quiet = TestClient(gateway.app, base_url=str(gateway.base_url), raise_server_exceptions=False)
    quiet.app_state = gateway.app_state
    answer = quiet.get("/videos/x")

    assert answer.status_code == 500
    assert answer.json()["error"]["metadata"] == {"error_type": "internal_error"}
    assert "xyzzy" not in answer.text


def test_the_gateway_says_whether_it_is_up(gateway: TestClient):
    assert gateway.get("http://127.0.0.1:8787/healthz").json() == {"status": "alive"}
    assert gateway.get("http://127.0.0.1:8787/readyz").json() == {"status": "ready"}
    assert gateway.get("http://127.0.0.1:8787/nothing").json()["error"]["code"] == 404


def test_a_gateway_whose_worker_has_stopped_is_not_ready(open_gateway: Callable[..., TestClient]):
    gateway = open_gateway()
    call(gateway, parts_of(gateway).worker.stop)
    answer = gateway.get("http://127.0.0.1:8787/readyz")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert gateway.get("http://127.0.0.1:8787/healthz").status_code == 200


def test_the_docs_page_lists_every_operation_and_needs_nothing_from_elsewhere(gateway: TestClient):
    described = gateway.get("/openapi.json").json()
    page = gateway.get("/docs").text

    for path, operations in described["paths"].items():
        for method in operations:
            assert f"<code>{method.upper()} {path}</code>" in page
    assert "http://" not in page
    assert "https://" not in page


def test_no_field_of_an_answer_is_described_as_null(gateway: TestClient):
    schemas = gateway.get("/openapi.json").json()["components"]["schemas"]

    assert '"null"' not in json.dumps(
        [schemas[name] for name in ("VideoJob", "JobList", "CheckAnswer", "OutputAnswer")]
    )


def test_frames_and_references_are_never_dropped_for_one_another(
    open_gateway: Callable[..., TestClient], photos: tuple[Path, ...]
):
    gateway = open_gateway(sandbox=True)
    image = {"type": "image_url", "image_url": {"url": upload(gateway, photos[0])}}
    frame = {**image, "frame_type": "first_frame"}
    body = {"model": "google/veo-3.1", "prompt": "x", "frame_images": [frame], "input_references": [image]}
    refused = gateway.post("/videos", json=body)
    problems = refused.json()["error"]["metadata"]["problems"]

    assert refused.status_code == 400
    assert any("frame" in problem["message"] and "reference" in problem["message"] for problem in problems)


def test_in_a_sandbox_a_fall_back_model_takes_what_the_first_does_not(
    open_gateway: Callable[..., TestClient], photos: tuple[Path, ...]
):
    gateway = open_gateway(sandbox=True)
    photo = upload(gateway, photos[0])
    body = wanted(photo, model="google/veo-3.1", models=["framegate/animatic"], duration=1, resolution="360p")
    job = gateway.post("/videos", json=body).json()
    alone = gateway.post("/videos", json={**body, "models": None})

    assert job["model"] == "framegate/animatic"
    assert alone.status_code == 400
    assert "framegate/animatic" in alone.json()["error"]["metadata"]["alternatives"]


def test_a_price_above_the_cap_is_refused(open_gateway: Callable[..., TestClient], photos: tuple[Path, ...]):
    gateway = open_gateway(sandbox=True)
    body = wanted(
        upload(gateway, photos[0]), model="google/veo-3.1", duration=8, resolution="720p", aspect_ratio="16:9"
    )
    refused = gateway.post("/videos", json={**body, "max_cost_usd": 0.01})

    assert refused.status_code == 400
    assert [problem["pointer"] for problem in refused.json()["error"]["metadata"]["problems"]] == ["/max_cost_usd"]
    assert gateway.post("/videos/check", json=body).json()["estimate"]["usd"] > 0.01


def test_a_job_goes_on_from_an_earlier_one(rendering_gateway: TestClient, rendering_photo: str):
    gateway = rendering_gateway
    before = finished(gateway, rendering_photo, aspect_ratio="1:1", fps=12)

    body = {"model": "framegate/animatic", "prompt": "locked-off", "duration": 2, "previous_job_id": before["id"]}
    after = gateway.get(gateway.post("/videos", json=body).json()["polling_url"], params={"wait": 60}).json()

    assert after["status"] == "completed", after
    assert (after["size"], after["fps"], after["duration"]) == ("360x360", 12, 2)
    assert after["outputs"][0]["frames"] == 12 + 24
    report = gateway.get(f"/videos/{after['id']}/report").json()
    conformance = [one for one in report["findings"] if one["group"] == "conformance"]
    assert {one["name"]: one["verdict"] for one in conformance if one["verdict"] != "pass"} == {}


def test_what_cannot_be_gone_on_from_is_said(gateway: TestClient, photo: str):
    gone = placed(gateway, photo, duration=60)
    gateway.post(f"/videos/{gone['id']}/cancel")

    for path in ("/videos", "/videos/check"):
        body = wanted(photo, previous_job_id="00000000-0000-7000-8000-000000000000")
        assert gateway.post(path, json=body).status_code == 404
    refused = gateway.post("/videos", json=wanted(photo, previous_job_id=gone["id"]))
    assert refused.status_code == 400
    (problem,) = refused.json()["error"]["metadata"]["problems"]
    assert (problem["code"], problem["pointer"]) == ("previous_job_not_completed", "/previous_job_id")
    assert problem["message"] == "previous_job_id: the job is cancelled. Choose a completed job."
    verdict = gateway.post("/videos/check", json=wanted(photo, previous_job_id=gone["id"])).json()
    assert [one["code"] for one in verdict["problems"]] == ["previous_job_not_completed"]


def test_a_source_beside_an_earlier_job_is_one_too_many(gateway: TestClient, photo: str):
    before = finished(gateway, photo)
    video = gateway.get(before["unsigned_urls"][0]).content
    kept = gateway.post("/assets", content=video, headers={"content-type": "video/mp4"}).json()["url"]
    source = {"type": "video_url", "video_url": {"url": kept}, "role": "source"}

    body = {"model": "framegate/animatic", "input_references": [source], "previous_job_id": before["id"]}
    refused = gateway.post("/videos", json=body).json()["error"]["metadata"]["problems"]

    assert [(one["code"], one["pointer"]) for one in refused] == [("too_many_references", "/previous_job_id")]
    del body["previous_job_id"]
    assert gateway.post("/videos/check", json=body).json()["ok"] is True


def test_a_model_that_sounds_by_default_has_a_sound_track_in_the_sandbox(open_gateway: Callable[..., TestClient]):
    gateway = open_gateway(sandbox=True)
    body = {"model": "google/veo-3.1", "prompt": "rain over a lighthouse", "duration": 4, "resolution": "720p"}

    job = gateway.get(gateway.post("/videos", json=body).json()["polling_url"], params={"wait": 60}).json()

    assert job["status"] == "completed", job
    report = gateway.get(f"/videos/{job['id']}/report").json()
    verdicts = {one["name"]: one["verdict"] for one in report["findings"] if one["name"].startswith("audio")}
    assert verdicts == {"audio": "pass", "audio_length": "pass", "audio_level": "pass"}
