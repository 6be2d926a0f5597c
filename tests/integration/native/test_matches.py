"""The report of a finished job says where each reference is seen, and the gateway serves the pictures of it."""

import io

from PIL import Image
from starlette.testclient import TestClient

from support.opened import parts_of


def finished(gateway: TestClient, photo: str) -> str:
    reference = {"type": "image_url", "image_url": {"url": photo}, "name": "hero"}
    body = {"model": "framegate/animatic", "prompt": "slow push-in on @hero", "duration": 1, "resolution": "360p"}
    job = gateway.post("/videos", json={**body, "input_references": [reference]}).json()
    assert gateway.get(job["polling_url"], params={"wait": 60}).json()["status"] == "completed"
    return job["id"]


def test_the_best_match_of_a_reference_is_told_served_and_removed_with_the_job(
    rendering_gateway: TestClient, rendering_photo: str
):
    gateway = rendering_gateway
    job_id = finished(gateway, rendering_photo)

    report = gateway.get(f"/videos/{job_id}/report").json()
    by_name = {one["name"]: one for one in report["findings"]}
    assert report["verdict"] == "pass"
    assert by_name["reference"]["verdict"] == "pass"
    assert "@hero" in by_name["reference"]["sentence"]
    assert {"frozen", "black", "flat", "cuts", "flicker", "jerk", "noise", "palette"} <= by_name.keys()
    (match,) = report["matches"]
    assert match.keys() == {"reference", "role", "frame", "seconds", "sha256"}
    assert (match["reference"], match["role"]) == (0, "reference")
    picture = gateway.get(f"/videos/{job_id}/matches/0.jpg")
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
    assert picture.headers["etag"] == f'"{match["sha256"]}"'
    assert Image.open(io.BytesIO(picture.content)).format == "JPEG"
    missing = gateway.get(f"/videos/{job_id}/matches/1.jpg")
    assert missing.status_code == 404
    assert "1 match(es)" in missing.json()["error"]["message"]
    jobs = parts_of(gateway).jobs
    assert jobs.blobs.has(match["sha256"])
    assert gateway.delete(f"/videos/{job_id}").status_code == 204
    assert not jobs.blobs.has(match["sha256"])
