"""Pictory's clients list their videos and read what they cost."""

from starlette.testclient import TestClient

VIDEOS = "/pictory/v1/aistudio/videos"
BODY = {"model": "framegate/animatic", "prompt": "a slow push in on a street", "duration": "1s"}


def test_a_list_of_videos_has_the_row_of_each_job(sandbox: TestClient):
    job_id = sandbox.post(VIDEOS, json=BODY).json()["data"]["jobId"]

    listed = sandbox.get(VIDEOS, params={"limit": 1})

    assert listed.status_code == 200
    assert [row["job_id"] for row in listed.json()["data"]] == [job_id]
    assert listed.json()["data"][0].keys() == sandbox.get(f"/pictory/v1/jobs/{job_id}").json().keys()


def test_quota_and_credits_are_the_ledger_in_dollars(sandbox: TestClient):
    sandbox.post(VIDEOS, json=BODY)

    answers = [sandbox.get(f"/pictory/v1/{path}") for path in ("quota", "aicredits/usage")]

    assert [answer.status_code for answer in answers] == [200, 200]
    data = answers[0].json()["data"]
    assert data["currency"] == "USD"
    assert data["jobs"] >= 1
    assert set(data) == {"currency", "jobs", "settled", "reserved", "held"}
