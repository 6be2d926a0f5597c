"""What belongs to one owner is unknown to every other, on every route; keys do what they were made for."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from framegate.api.auth import CACHE_SECONDS
from framegate.api.dialects import native
from framegate.app.asgi import build_app
from framegate.config.settings import Settings, SettingsInvalid
from framegate.domain import Scope
from framegate.domain.keys import new_key
from support.opened import call, parts_of

API = "http://127.0.0.1:8787/api/v1"
PUBLIC = {"/videos/models", "/videos/models/{author}/{slug}"}
OF_NOBODY = {"/videos", "/videos/check", "/assets", "/spend", "/webhooks/secret", "/gateway"}  # name nothing of another
BY_LINK_ALONE = {"/assets/{sha256}"}  # no key opens these, be it its owner's
UNKNOWN = "0190a000-0000-7000-8000-000000000001"
DESCRIBED = native.build(needs_key=lambda: True).openapi()["paths"]
OF_OPERATORS = {path for path in DESCRIBED if path.startswith("/admin/")}  # refused to everybody else
OF_A_JOB = [
    (path, method)
    for path in sorted(set(DESCRIBED) - PUBLIC - OF_NOBODY - OF_OPERATORS - BY_LINK_ALONE)
    for method in DESCRIBED[path]
]


class Callers:
    """One gateway, and clients of it with keys of different owners."""

    def __init__(self, gateway: TestClient) -> None:
        self.gateway = gateway
        self.store = parts_of(gateway).store

    def key(self, owner: str, **fields: Any) -> str:
        text, key = new_key(now=1.0, owner=owner, **fields)
        call(self.gateway, self.store.keys.add, key)
        parts_of(self.gateway).keys._cache.needed_at = -CACHE_SECONDS * 1e9
        return text

    def ask(self, key: str, method: str, path: str, **how: Any) -> Any:
        headers = {"authorization": f"Bearer {key}", **how.pop("headers", {})}
        return self.gateway.request(method, path, headers=headers, **how)

    def upload(self, key: str, photo: Path) -> str:
        answer = self.ask(key, "POST", "/assets", content=photo.read_bytes(), headers={"content-type": "image/png"})
        assert answer.status_code == 201, answer.text
        return answer.json()["url"]

    def place(self, key: str, reference: str, **headers: str) -> Any:
        body = {
            "model": "framegate/animatic",
            "prompt": "pan left",
            "duration": 1,
            "resolution": "360p",
            "input_references": [{"type": "image_url", "image_url": {"url": reference}}],
            "callback_url": "https://hooks.invalid/hook",
        }
        return self.ask(key, "POST", "/videos", json=body, headers=headers)


@pytest.fixture
def callers(open_gateway: Callable[..., TestClient]) -> Callers:
    return Callers(open_gateway())


def test_another_owners_job_is_unknown_on_every_route(callers: Callers, photos: tuple[Path, ...]):
    mine, theirs = callers.key("acme"), callers.key("other")
    job = callers.place(mine, callers.upload(mine, photos[0])).json()
    done = callers.ask(mine, "GET", f"/videos/{job['id']}?wait=60").json()
    assert done["status"] == "completed", done
    (webhook,) = callers.ask(mine, "GET", f"/videos/{job['id']}/webhooks").json()["data"]
    assert len(OF_A_JOB) >= 10

    for path, method in OF_A_JOB:
        for verb in {method, "head"} if path.endswith(("content", ".jpg")) else {method}:
            asked = path.replace("{webhook_id}", webhook["id"]).replace("{match}", "0")
            assert asked.count("{") == 1, f"fill in what else {path} names"
            of_another = callers.ask(theirs, verb, asked.replace("{job_id}", job["id"]))
            of_nobody = callers.ask(theirs, verb, asked.replace("{job_id}", UNKNOWN))
            assert of_another.status_code == of_nobody.status_code == 404, (verb, path)
            assert of_another.text.replace(job["id"], "<id>") == of_nobody.text.replace(UNKNOWN, "<id>")
    assert callers.ask(theirs, "GET", "/videos").json()["data"] == []
    assert [one["id"] for one in callers.ask(mine, "GET", "/videos").json()["data"]] == [job["id"]]
    assert callers.ask(mine, "GET", f"/videos/{job['id']}/content").status_code == 200


def test_keys_of_one_owner_share_its_jobs(callers: Callers, photos: tuple[Path, ...]):
    one, two = callers.key("acme"), callers.key("acme")
    job = callers.place(one, callers.upload(two, photos[0])).json()

    assert callers.ask(two, "POST", f"/videos/{job['id']}/cancel").status_code == 200


def test_another_owners_upload_is_as_unknown_as_one_that_never_was(callers: Callers, photos: tuple[Path, ...]):
    mine, theirs = callers.key("acme"), callers.key("other")
    asset = callers.upload(mine, photos[0])
    nowhere = f"asset://{'0' * 64}"
    answers = [callers.place(theirs, url) for url in (asset, nowhere)]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[0].text.replace(asset, "<asset>") == answers[1].text.replace(nowhere, "<asset>")


def test_no_key_opens_an_upload_and_one_that_never_was_answers_alike(callers: Callers, photos: tuple[Path, ...]):
    mine, theirs = callers.key("acme"), callers.key("other")
    kept = callers.upload(mine, photos[0]).removeprefix("asset://")
    answers = [
        callers.ask(key, "GET", f"/assets/{sha256}?type=image/png&expires=9999999999&signature={'0' * 64}")
        for key in (mine, theirs)
        for sha256 in (kept, "0" * 64)
    ]

    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}


def test_one_idempotency_key_of_two_owners_makes_two_jobs(callers: Callers, photos: tuple[Path, ...]):
    mine, theirs = callers.key("acme"), callers.key("other")
    jobs = [
        callers.place(key, callers.upload(key, photos[0]), **{"idempotency-key": "same"}).json()["id"]
        for key in (mine, theirs)
    ]

    assert len(set(jobs)) == 2
    for key, job in zip((mine, theirs), jobs, strict=True):
        callers.ask(key, "POST", f"/videos/{job}/cancel")


def test_each_owner_has_a_webhook_secret_of_its_own_and_a_key_that_only_reads_does_not_see_it(callers: Callers):
    mine, theirs, reader = callers.key("acme"), callers.key("other"), callers.key("acme", scopes=(Scope.READ,))
    secrets = [callers.ask(key, "GET", "/webhooks/secret").json()["secret"] for key in (mine, theirs)]

    assert secrets[0] != secrets[1]
    assert all(re.fullmatch(r"whsec_[A-Za-z0-9+/=]{44}", secret) for secret in secrets)
    assert callers.ask(reader, "GET", "/webhooks/secret").status_code == 403


def test_a_key_that_may_only_read_places_nothing_and_changes_nothing(callers: Callers, photos: tuple[Path, ...]):
    mine, reader = callers.key("acme"), callers.key("acme", scopes=(Scope.READ,))
    reference = callers.upload(mine, photos[0])
    job = callers.place(mine, reference).json()["id"]

    assert callers.ask(reader, "GET", f"/videos/{job}").status_code == 200
    for method, path in (("POST", f"/videos/{job}/cancel"), ("DELETE", f"/videos/{job}"), ("POST", "/assets")):
        answer = callers.ask(reader, method, path)
        assert answer.status_code == 403
        assert answer.json()["error"]["metadata"]["error_type"] == "scope_missing"
    assert callers.place(reader, reference).status_code == 403
    callers.ask(mine, "POST", f"/videos/{job}/cancel")


def test_a_key_that_asks_too_often_is_told_when_to_come_back(callers: Callers):
    key = callers.key("acme", requests_per_minute=2)
    answers = [callers.ask(key, "GET", "/videos") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 30
    assert answers[2].json()["error"]["metadata"]["error_type"] == "rate_limited"


def test_an_expired_key_is_told_so_and_no_key_is_none(callers: Callers):
    expired = callers.key("acme", expires_at=2.0)

    answer = callers.ask(expired, "GET", "/videos")
    assert answer.status_code == 401
    assert answer.json()["error"]["metadata"]["error_type"] == "key_expired"
    assert callers.gateway.get("/videos").status_code == 401
    assert callers.gateway.get("/videos/models").status_code == 200


def test_once_there_is_a_key_the_gateway_answers_to_any_name(callers: Callers):
    assert callers.gateway.get("/videos/models", headers={"host": "gate.example"}).status_code == 421
    key = callers.key("acme")

    assert callers.ask(key, "GET", "/videos").status_code == 200
    assert callers.gateway.get("/videos/models", headers={"host": "gate.example"}).status_code == 200


def test_a_webhook_is_replayed_over_the_api_and_its_tries_can_be_seen(callers: Callers, photos: tuple[Path, ...]):
    key = callers.key("acme")
    job = callers.place(key, callers.upload(key, photos[0])).json()
    callers.ask(key, "POST", f"/videos/{job['id']}/cancel")
    path = f"/videos/{job['id']}/webhooks"
    webhook: dict[str, Any] = {}
    for _ in range(200):
        (webhook,) = callers.ask(key, "GET", path).json()["data"]
        if webhook["attempts"]:
            break
    tried = webhook["attempts"][0]

    assert job["webhooks_url"].endswith(path)
    assert (webhook["state"], webhook["type"]) == ("waiting", "video.generation.cancelled")
    assert webhook["body"]["data"]["status"] == "cancelled"
    assert tried["number"] == 1
    assert "hooks.invalid" in tried["error"]
    again = callers.ask(key, "POST", f"{path}/{webhook['id']}/replay")
    assert (again.status_code, again.json()["id"]) == (200, webhook["id"])
    assert again.json()["state"] == "waiting"
    assert callers.ask(key, "POST", f"{path}/{UNKNOWN}/replay").status_code == 404


def test_a_gateway_for_other_machines_does_not_start_until_there_is_a_key(tmp_path: Path):
    closed = Settings(data_dir=tmp_path, render_workers=1, host="0.0.0.0")
    with pytest.raises(SettingsInvalid, match="framegate keys create"), TestClient(build_app(closed)):
        pass
    with TestClient(build_app(closed.model_copy(update={"host": "127.0.0.1"})), base_url=API) as gateway:
        assert gateway.get("/videos").status_code == 200
        Callers(gateway).key("acme")

    with TestClient(build_app(closed), base_url=API) as gateway:
        assert gateway.get("/videos").status_code == 401


def test_the_operators_routes_are_refused_to_every_other_key(callers: Callers):
    theirs = callers.key("other")
    assert len(OF_OPERATORS) >= 4

    for path in OF_OPERATORS:
        for method in DESCRIBED[path]:
            asked = re.sub(r"\{\w+\}", UNKNOWN, path)
            assert callers.ask(theirs, method, asked).status_code == 403, (method, path)
