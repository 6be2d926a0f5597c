"""Whatever a key gave out ends with the key: tokens, signed URLs, streams, websockets and long polls."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from framegate.domain import Scope
from framegate.domain.keys import new_key
from support.fal_client import ENDPOINT, REQUESTS
from support.holding_gateway import ENDLESS_SECONDS, opened
from support.opened import app_of, call, parts_of

ORIGIN = "http://127.0.0.1:8787"
SHORT = {"model": "framegate/animatic", "prompt": "pan left", "duration": 1, "resolution": "360p"}
ENDLESS = {**SHORT, "duration": ENDLESS_SECONDS}


class Keys:
    """The keys of a gateway, each of which can end."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.store = parts_of(client).store.keys

    def add(self, owner: str = "acme", **fields: Any) -> str:
        text, key = new_key(now=1.0, owner=owner, **fields)
        call(self.client, self.store.add, key)
        self.forget()
        return text

    def revoke(self, text: str) -> None:
        call(self.client, self._revoke, text)

    async def _revoke(self, text: str) -> None:
        await self.store.revoke(text.split("_")[1], now=2.0)
        self.forget()

    def forget(self) -> None:
        """Forget what is cached for five seconds."""
        cache = parts_of(self.client).keys._cache
        cache.keys.clear()
        cache.needed_at = -1e9


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with opened(tmp_path_factory.mktemp("ends"), allow_private_addresses=True) as client:
        client.base_url = ORIGIN
        yield client


@pytest.fixture(scope="module")
def keys(client: TestClient) -> Keys:
    return Keys(client)


def bearer(key: str, scheme: str = "Bearer ") -> dict[str, str]:
    return {"authorization": f"{scheme}{key}"}


def created(client: TestClient, key: str, body: object) -> str:
    answer = client.post("/api/v1/videos", json=body, headers=bearer(key))
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def completed(client: TestClient, key: str) -> str:
    job_id = created(client, key, SHORT)
    assert client.get(f"/api/v1/videos/{job_id}?wait=30", headers=bearer(key)).json()["status"] == "completed"
    return job_id


# -- tokens


def token_of(client: TestClient, key: str) -> str:
    answer = client.post("/fal/rest/storage/auth/token", json={}, headers=bearer(key, "Key "))
    assert answer.status_code == 200, answer.text
    return answer.json()["token"]


def test_a_token_ends_with_its_key(client: TestClient, keys: Keys, photos: tuple[Path, ...]):
    key = keys.add()
    token, photo = token_of(client, key), photos[0].read_bytes()
    headers = bearer(token) | {"content-type": "image/png"}
    before = client.post("/fal/cdn/files/upload", content=photo, headers=headers)
    keys.revoke(key)
    after = [
        client.post("/fal/cdn/files/upload", content=photo, headers=headers),
        client.post(f"/fal/queue/{ENDPOINT}", json={"prompt": "x"}, headers=headers),
        client.get(f"/fal{REQUESTS}/01a1fb7b-5bb8-7095-8968-3837387db6e1", params={"fal_jwt_token": token}),
    ]

    assert before.status_code == 200
    assert [answer.status_code for answer in after] == [401, 401, 401]


def test_a_token_ends_when_its_key_expires(client: TestClient, keys: Keys):
    now = parts_of(client).machine.now()
    key = keys.add(expires_at=now + 3000)
    token = token_of(client, key)
    answers = []
    for seconds in (0, 3001):
        parts_of(client).machine.now = lambda later=seconds: now + later  # type: ignore[method-assign]
        answers.append(client.get(f"/fal{REQUESTS}/x/status", headers=bearer(token)).status_code)
    del parts_of(client).machine.now  # type: ignore[method-assign]

    assert answers == [404, 401]


def test_a_token_has_the_scopes_of_its_key_and_no_more(client: TestClient, keys: Keys):
    token = token_of(client, keys.add(scopes=(Scope.CREATE,)))

    answer = client.get(f"/fal{REQUESTS}/01a1fb7b-5bb8-7095-8968-3837387db6e1", headers=bearer(token))
    assert answer.status_code == 403
    assert client.post("/fal/rest/storage/upload/initiate", json={}, headers=bearer(token)).status_code == 200


def test_the_requests_of_a_token_count_for_its_key(client: TestClient, keys: Keys):
    token = token_of(client, keys.add(requests_per_minute=3))
    statuses = [client.get(f"/fal{REQUESTS}/x/status", headers=bearer(token)).status_code for _ in range(4)]

    assert statuses == [404, 404, 429, 429]  # the request for the token was the first of three


def test_the_url_of_an_upload_ends_with_its_key_and_after_a_day(
    client: TestClient, keys: Keys, photos: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
):
    key, photo = keys.add(), photos[0].read_bytes()
    first, second = (
        client.post("/fal/rest/storage/upload/initiate", json={"file_name": "a.png"}, headers=bearer(key)).json()
        for _ in range(2)
    )
    put = client.put(first["upload_url"], content=photo).status_code
    public = client.get(first["file_url"]).status_code
    machine, now = parts_of(client).machine, parts_of(client).machine.now()
    monkeypatch.setattr(machine, "now", lambda: now + 25 * 3600)
    late = client.put(second["upload_url"], content=photo).status_code
    monkeypatch.undo()
    keys.revoke(key)
    colleague = bearer(keys.add())

    assert (put, public, late) == (200, 200, 401)
    assert client.put(first["upload_url"], content=photo).status_code == 401
    assert client.get(first["file_url"]).status_code == 401
    assert client.get(first["file_url"], headers=colleague).status_code == 200


# -- signed URLs


def urls_of(client: TestClient, key: str, job_id: str) -> list[str]:
    """Every URL of a job's files that needs no key, in every API."""
    native = client.get(f"/api/v1/videos/{job_id}", headers=bearer(key)).json()
    phaseo = client.get(f"/phaseo/v1/videos/{job_id}", headers=bearer(key)).json()
    pictory = client.get(f"/pictory/v1/jobs/{job_id}", headers=bearer(key, "")).json()["data"]
    fal = client.get(f"/fal/queue/framegate/animatic/requests/{job_id}", headers=bearer(key, "Key ")).json()
    return [
        *native["unsigned_urls"],
        native["poster_url"],
        native["contact_sheet_url"],
        phaseo["download_url"],
        pictory["url"],
        pictory["lastFrameImageUrl"],
        pictory["thumbnailImageUrl"],
        fal["video"]["url"],
    ]


def test_signed_urls_end_with_the_key_that_they_were_given_to(client: TestClient, keys: Keys):
    first, second = keys.add(), keys.add()
    job_id = completed(client, first)
    of_first, of_second = urls_of(client, first, job_id), urls_of(client, second, job_id)
    before = [client.get(url).status_code for url in of_first + of_second]
    keys.revoke(first)

    assert set(before) == {200}
    assert [client.get(url).status_code for url in of_first] == [401] * len(of_first)
    assert [client.get(url).status_code for url in of_second] == [200] * len(of_second)
    assert client.get(of_first[0], headers=bearer(second)).status_code == 200


# -- open connections


async def followed(client: TestClient, path: str, key: str, act: Callable[[], Awaitable[object]]) -> tuple[int, bytes]:
    """The status and body of a GET; `act` is called once it is answered in part, or after a moment."""
    sent: list[dict[str, Any]] = []
    asked: list[bool] = []
    acted = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not asked:
            asked.append(True)
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.sleep(3600)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and b"data:" in message.get("body", b"") and not acted.is_set():
            acted.set()
            await act()

    path, _, query = path.partition("?")
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "headers": [(b"host", b"127.0.0.1:8787"), (b"authorization", key.encode())], "scheme": "http",
        "server": ("127.0.0.1", 8787), "client": ("127.0.0.1", 1), "root_path": "", "http_version": "1.1",
        "state": {"gateway": app_of(client).state.gateway},
    }  # fmt: skip
    request = asyncio.create_task(app_of(client)(scope, receive, send))
    if "wait=" in query:
        await asyncio.sleep(0.1)
        acted.set()
        await act()
    async with asyncio.timeout(30):
        await request
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


@pytest.mark.parametrize(
    ("path", "scheme"),
    [
        ("/api/v1/videos/{id}/events", "Bearer "),
        ("/fal/queue/framegate/animatic/requests/{id}/status/stream", "Key "),
        ("/api/v1/videos/{id}?wait=60", "Bearer "),
    ],
)
def test_a_stream_or_long_poll_ends_with_its_key(client: TestClient, keys: Keys, path: str, scheme: str):
    key, other = keys.add(), keys.add()
    job_id = created(client, other, ENDLESS)

    async def end_key_then_job() -> None:
        await keys._revoke(key)
        await parts_of(client).jobs.cancel(job_id, owner="acme")

    status, body = call(client, followed, client, path.format(id=job_id), f"{scheme}{key}", end_key_then_job)

    assert status == (401 if "wait" in path else 200)
    assert b"This key was revoked" in body
    assert b"cancelled" not in body
    assert b"COMPLETED" not in body


def test_a_websocket_ends_with_its_key_by_code_4401(client: TestClient, keys: Keys):
    key = keys.add()
    job_id = created(client, key, ENDLESS)
    with client.websocket_connect(f"/phaseo/v1/async/video/{job_id}/ws", headers=bearer(key)) as socket:
        snapshot = socket.receive_json()
        keys.revoke(key)
        socket.send_text("refresh")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
    call(client, lambda: parts_of(client).jobs.cancel(job_id, owner="acme"))

    assert snapshot["data"]["polling_url"].startswith("http://")
    assert closed.value.code == 4401
