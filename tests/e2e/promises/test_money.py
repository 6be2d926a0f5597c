"""Needs 1, 3, 10, 11, 12 and 18: what is paid for, how often, and what is said of it."""

import pytest

from support.studio import FAILED, PENDING, Studio
from support.studio_client import Client, image

UNSURE = {"answered-500": 500, "cut-off": "cut", "answered-in-no-json": "What?"}


@pytest.mark.parametrize("how", UNSURE)
def test_01_one_intent_is_never_paid_twice(how: str, client: Client, service: Studio):
    service.plan(f"take-{how}", order=UNSURE[how])
    job = client.made(f"take-{how}")

    assert (job["status"], job["error_code"]) == ("failed", "submit_unsure")
    assert len(service.taken(f"take-{how}")) == 1
    assert client.http.post(f"/videos/{job['id']}/retry", json={}).status_code == 400, "a person has to say so"
    assert len(service.taken(f"take-{how}")) == 1


def test_01_a_create_that_is_sent_again_makes_no_second_job(client: Client, service: Studio):
    service.plan("take-again", looks=[FAILED])
    sent = {"headers": {"idempotency-key": "scene 4, take 2"}}
    one, other = client.placed("take-again", **sent), client.placed("take-again", **sent)

    assert one == other
    assert client.job(one, wait=60)["status"] == "failed"
    assert len(service.taken("take-again")) == 1


def test_03_an_impossible_request_is_refused_before_anything_is_ordered(client: Client, service: Studio):
    found = client.problems("take-impossible", duration=99, aspect_ratio="5:1")

    assert {"duration_unsupported", "aspect_ratio_unsupported"} == set(found), "all at once"
    duration = found["duration_unsupported"]
    assert (duration["pointer"], duration["nearest"]) == ("/duration", 15)
    assert service.taken("take-impossible") == []


@pytest.mark.parametrize(
    ("how", "plan"),
    {
        "fails": {"looks": [FAILED]},
        "is-filtered": {"looks": [{"status": "failed", "error": "Removed by the safety filter."}]},
        "is-refused": {"order": 400},
    }.items(),
)
def test_10_a_job_that_fails_or_is_filtered_costs_nothing(how: str, plan: dict, client: Client, service: Studio):
    service.plan(f"take-that-{how}", **plan)
    job = client.made(f"take-that-{how}")
    bill = client.bill(job)

    assert job["status"] == "failed"
    assert bill["state"] == "void"
    assert "settled_micro_usd" not in bill
    assert "cost" not in job.get("usage", {})


def test_11_a_job_is_charged_once_at_what_the_service_says(clients: dict[str, Client], service: Studio):
    client = clients["other"]
    service.plan("take-charged", looks=[PENDING, {"status": "completed", "usage": {"cost": 0.0625}}])
    job = client.made("take-charged")
    for _ in range(3):
        client.job(job["id"])

    assert job["usage"]["cost"] == 0.0625
    assert job["estimate"]["usd"] == 0.05
    bill = client.bill(job)
    assert (bill["state"], bill["settled_micro_usd"], bill["reported"]) == ("settled", 62_500, True)
    (spent,) = client.http.get("/spend", params={"by": "model"}).json()["data"]
    assert (spent["jobs"], spent["settled_micro_usd"]) == (1, 62_500)


def test_11_a_job_of_which_no_service_tells_the_cost_is_not_told_to_be_free(client: Client, service: Studio):
    job = client.made("take-untold")
    bill = client.bill(job)

    assert (bill["state"], bill["settled_micro_usd"], bill["reported"]) == ("settled", 50_000, False)


def test_12_a_price_is_told_before_anything_is_ordered(client: Client, service: Studio):
    verdict = client.check("take-priced", duration=15)

    assert verdict["ok"]
    assert verdict["estimate"]["usd"] == 0.75
    assert service.taken("take-priced") == []


def test_12_a_job_dearer_than_its_cap_or_its_keys_budget_is_not_ordered(clients: dict[str, Client], service: Studio):
    capped = clients["acme"].problems("take-dear", duration=15, max_cost_usd=0.5)
    beyond = clients["agent"].create("take-dear", duration=15)

    assert capped["cost_over_cap"]["nearest"] == 0.75
    assert beyond.status_code == 402
    assert beyond.json()["error"]["metadata"]["error_type"] == "budget_exceeded"
    assert service.taken("take-dear") == []
    assert clients["agent"].made("take-within")["status"] == "completed", "what the budget reaches for is made"


def test_18_a_cancelled_order_is_stopped_at_its_service(client: Client, service: Studio, pixel: str):
    service.plan("take-stopped", looks=[{"status": "IN_PROGRESS"}])
    job_id = client.placed("take-stopped", provider={"only": ["fal"]}, input_references=[image(pixel)])
    order = service.until("take-stopped")
    assert client.http.post(f"/videos/{job_id}/cancel").status_code == 200
    job = client.job(job_id, wait=60)

    assert job["status"] == "cancelled"
    assert order.cancelled
    assert client.bill(job)["state"] == "void"


def test_18_where_a_service_cannot_stop_an_order_the_job_says_that_it_may_be_charged(client: Client, service: Studio):
    service.plan("take-unstoppable", looks=[PENDING])
    job_id = client.placed("take-unstoppable")
    service.until("take-unstoppable")
    client.http.post(f"/videos/{job_id}/cancel")
    job = client.job(job_id, wait=60)

    assert job["status"] == "cancelled"
    assert "may charge" in job["error"]
    assert client.bill(job)["state"] == "held"
