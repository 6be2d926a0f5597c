"""An order's end is recognised, whatever word and shape the service uses for it."""

from typing import Any

import pytest

from framegate.config.accounts import Account
from framegate.domain import Done, Failed, Lost, Running, Update
from framegate.providers import statuses
from framegate.providers.files import video_urls
from framegate.providers.registry import ADAPTERS, build_provider
from support.faulty_vendor import answer, faulty

ENDS = {
    "succeeded": "done", "success": "done", "done": "done", "COMPLETED": "done", "Complete": "done", "FINISHED": "done",
    "canceled": "provider_cancelled", "CANCELLED": "provider_cancelled", "aborted": "provider_cancelled",
    "error": "provider_failed", "failure": "provider_failed", "FAILED": "provider_failed",
    "rejected": "provider_failed",
    "Timed-Out": "provider_expired", "EXPIRED": "provider_expired",
    "content_filtered": "content_refused", "NSFW": "content_refused", "moderation": "content_refused",
}  # fmt: skip
OPEN = {
    "PENDING": "queued", "in queue": "queued", "Submitted": "queued", "IN_PROGRESS": "running",
    "InProgress": "running", "generating": "running", "simmering": "running", "": "running",
}  # fmt: skip
FILE = "https://files.test/a.mp4"
FLAT = ("openrouter", "modelgates", "phaseo", "pictory", "vllm_omni", "sglang")


def body_of(name: str, **job: Any) -> dict[str, Any]:
    match name:
        case "pictory":
            return {"success": True, "data": {**job, "url": FILE if "error" not in job else None}}
        case "vllm_omni" | "sglang":
            return {"object": "video", **job}
        case _:
            return job


async def polled(name: str, body: Any, status: int = 200) -> Update:
    async with faulty(answer(status, body)) as service:
        adapter = build_provider(Account(provider=name, api_key="key-of-the-account", base_url=service.url))
        try:
            return await adapter.poll({"id": "x", "app": "fal-ai/veo3.1", "at": 0.0})
        finally:
            await adapter.close()


def ended_as(update: Update) -> str:
    return "done" if isinstance(update, Done) else update.fault.code if isinstance(update, Failed) else str(update)


@pytest.mark.anyio
@pytest.mark.parametrize("name", FLAT)
async def test_an_end_has_many_words(name: str):
    for word, end in ENDS.items():
        error = {} if end == "done" else {"error": "Nope."}
        assert ended_as(await polled(name, body_of(name, status=word, **error))) == end, word


@pytest.mark.anyio
@pytest.mark.parametrize("name", FLAT)
async def test_every_other_word_is_in_progress(name: str):
    for word, stage in OPEN.items():
        update = await polled(name, body_of(name, status=word) if name != "pictory" else {"data": {"status": word}})
        assert isinstance(update, Running), word
        assert update.stage == stage


@pytest.mark.anyio
@pytest.mark.parametrize("word", ["COMPLETED", "completed", "Succeeded", "done"])
async def test_fals_end_has_many_words(word: str):
    assert ended_as(await polled("fal", {"status": word, "video": {"url": FILE}})) == "done"
    failed = await polled("fal", {"status": "ERROR", "error": "Nope.", "error_type": "bad_input"})
    assert isinstance(failed, Failed)
    assert (failed.fault.message, failed.fault.provider_code) == ("Nope.", "bad_input")


@pytest.mark.anyio
@pytest.mark.parametrize("name", [*FLAT, "fal"])
async def test_an_unknown_word_next_to_a_file_or_an_error_is_an_end(name: str):
    done = {"status": "simmered", "video_url": FILE}
    if name != "fal":
        assert ended_as(await polled(name, body_of(name, **done))) == "done"
    failed = await polled(name, body_of(name, status="burnt", error={"code": "oven", "message": "Too hot."}))
    assert isinstance(failed, Failed)
    assert failed.fault.message == "Too hot."
    assert failed.fault.may_charge or name == "fal"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "result",
    [
        {"video": {"url": FILE}},
        {"video": FILE},
        {"videos": [{"url": FILE}]},
        {"output": {"video_url": FILE}},
        {"data": {"outputs": [FILE]}},
        {"result": {"media": [{"file_url": FILE, "thumbnail_url": "https://files.test/a.jpg"}]}},
    ],
)
async def test_a_file_is_found_under_an_unexpected_name(result: dict[str, Any]):
    for name in ("fal", "pictory"):
        body = {"status": "COMPLETED", **result} if name == "fal" else {"data": {"status": "completed", **result}}
        update = await polled(name, body)
        assert isinstance(update, Done), update
        assert [output.url for output in update.outputs] == [FILE]


@pytest.mark.anyio
@pytest.mark.parametrize("url", [None, "", 7, "file:///etc/passwd", "javascript:alert(1)", {"a": 1}, []])
async def test_a_finished_video_without_a_file_may_be_charged(url: object):
    for name in ("fal", "pictory"):
        body = {"status": "COMPLETED", "video": {"url": url}, "data": {"status": "completed", "url": url}}
        update = await polled(name, body)
        assert isinstance(update, Lost)
        assert update.code == "output_missing"


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["openrouter", "phaseo"])
@pytest.mark.parametrize(
    "envelope", [lambda job: [job], lambda job: {"data": job}, lambda job: {"result": {"job": job}}]
)
async def test_a_job_is_read_in_an_envelope(envelope: Any, name: str):
    assert ended_as(await polled(name, envelope({"status": "completed", "unsigned_urls": [FILE]}))) == "done"


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["openrouter", "phaseo", "fal"])
@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        ({"code": "content_policy", "message": "Blocked by policy."}, "Blocked by policy.", "content_policy"),
        ({"error": {"message": "Blocked."}}, "Blocked.", ""),
        ([{"msg": "Bad image", "loc": ["body", "image"]}], "Bad image", ""),
        ({"detail": "Blocked."}, "Blocked.", ""),
        ("Blocked.", "Blocked.", ""),
    ],
)
async def test_a_failure_has_the_sentence_and_the_code_of_its_error(error: Any, message: str, code: str, name: str):
    update = await polled(name, {"status": "failed", "error": error})
    assert isinstance(update, Failed)
    assert (update.fault.message.removeprefix("image: "), update.fault.provider_code) == (message, code)
    assert update.fault.code == ("content_refused" if code else "provider_failed")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("bill", "cost"),
    [
        ({"currency": "usd", "settled_user_cost": "0.42", "state": "settled"}, 420_000),
        ({"currency": " USD ", "settled_user_cost": "0.42", "state": "SETTLED"}, 420_000),
        ({"settled_user_cost": "0.42", "state": "settled", "total_nanos": 1}, 420_000),
        ({"currency": "usd", "state": "settled", "total_nanos": 420_000_000}, 420_000),
        ({"currency": "eur", "settled_user_cost": "0.42", "state": "settled"}, 390_000),
        ({"currency": "usd", "settled_user_cost": "0.42", "state": "estimated"}, 390_000),
        ({"currency": "usd", "settled_user_cost": "1e999", "state": "settled"}, -1),
    ],
)
async def test_phaseos_bill_is_read_in_dollars(bill: dict[str, Any], cost: int):
    update = await polled("phaseo", {"status": "completed", "billing": bill, "usage": {"cost_usd": 0.39}})
    assert isinstance(update, Done)
    assert update.cost_micro_usd == cost


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["vllm_omni", "sglang"])
async def test_a_gpu_servers_default_length_is_not_reported(name: str):
    update = await polled(name, {"object": "video", "status": "completed", "seconds": "4", "size": "832x480"})
    assert isinstance(update, Done)
    assert update.metadata.get("size") == "832x480"
    assert "seconds" not in update.metadata


def test_a_providers_own_words_have_priority():
    assert statuses.meaning_of("done", {"DONE": "running"}) == "running"
    assert statuses.meaning_of("DONE", {"DONE": "running"}) == "running"
    assert statuses.meaning_of("done") == "completed"
    assert statuses.meaning_of(7) is None


def test_every_provider_knows_the_shared_words():
    for name in ADAPTERS:
        adapter = ADAPTERS[name]("a", "key-of-the-account")
        assert {adapter.meaning_of(word) for word in ("Succeeded", "in-progress")} == {"completed", "running"}


@pytest.mark.parametrize(
    "response",
    [
        {"polling_url": "https://a.test/1", "cancel_url": "https://a.test/2", "image_url": "https://a.test/3.png"},
        {"input": {"video_url": FILE}, "webhook": {"url": FILE}, "poster": {"url": FILE}},
        {"note": FILE, "model": "https://a.test"},
        ["https://a.test/" + "x" * 9000],
        None,
        7,
    ],
)
def test_no_other_url_is_taken_for_a_video(response: object):
    assert video_urls(response) == []
