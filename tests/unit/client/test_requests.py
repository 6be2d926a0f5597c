"""Requests of the SDK."""

import hashlib
import inspect
import io
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from framegate import AsyncFramegate, Framegate, ReferenceInput
from framegate.client import KeyInvalid, admin, jobs
from framegate.client import client as clients
from framegate.client.requests import base_url
from framegate.domain.errors import InvalidRequest, NotFound
from support.fake_gateway import Plan

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32


def test_the_complete_body_of_a_create(client: Framegate, plan: Plan, tmp_path: Path):
    photo = tmp_path / "front.jpg"
    photo.write_bytes(b"\xff\xd8\xff photo")
    clip: ReferenceInput = {"url": "https://example.com/clip.mp4?x=1", "role": "source"}
    style: ReferenceInput = {"url": "https://example.com/a.png", "reference_type": "style"}

    client.videos.create(
        model="google/veo-3.1",
        prompt="@hero walks",
        references=[str(photo), {"url": photo, "name": "hero"}, style, clip],
        first_frame=PNG,
        last_frame=io.BytesIO(PNG),
        duration=4,
        generate_audio=False,
        models=("a/b",),
        previous_job_id="j",
    )

    asset = f"asset://{hashlib.sha256(photo.read_bytes()).hexdigest()}"
    frame = {"type": "image_url", "image_url": {"url": f"asset://{hashlib.sha256(PNG).hexdigest()}"}}
    [create] = plan.requests("POST", "/videos")
    assert create.json == {
        "model": "google/veo-3.1",
        "prompt": "@hero walks",
        "duration": 4,
        "generate_audio": False,
        "models": ["a/b"],
        "previous_job_id": "j",
        "frame_images": [frame | {"frame_type": "first_frame"}, frame | {"frame_type": "last_frame"}],
        "input_references": [
            {"type": "image_url", "image_url": {"url": asset}},
            {"type": "image_url", "image_url": {"url": asset}, "name": "hero"},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}, "reference_type": "style"},
            {"type": "video_url", "video_url": {"url": "https://example.com/clip.mp4?x=1"}, "role": "source"},
        ],
    }


def test_a_local_file_is_uploaded_with_its_size_and_media_type(client: Framegate, plan: Plan, tmp_path: Path):
    photo = tmp_path / "a.png"
    photo.write_bytes(PNG * 100_000)

    asset = client.assets.upload(photo)

    [upload] = plan.requests("POST", "/assets")
    assert (upload.body, upload.headers["content-type"]) == (photo.read_bytes(), "image/png")
    assert upload.headers["content-length"] == str(len(PNG) * 100_000)
    assert asset.url.startswith("asset://")


@pytest.mark.parametrize("missing", ["nope.jpg", Path("nope.jpg"), Path(), "x" * 5000, "\0"])
def test_a_path_without_a_file_is_rejected_before_anything_is_sent(client: Framegate, plan: Plan, missing: str | Path):
    with pytest.raises(InvalidRequest) as raised:
        client.videos.create(prompt="x", references=["https://example.com/a.png", missing])

    assert raised.value.problems[0].pointer == "/references/1"
    assert plan.received == []


def test_a_misspelt_argument_is_an_error(client: Framegate):
    with pytest.raises(TypeError, match="`text`"):
        client.videos.create(text="x")  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("ratio", "Did you mean `aspect_ratio`?"),
        ("seconds", "Did you mean `duration`?"),
        ("input_references", "Did you mean `references`?"),
        ("reference_image_urls", "Did you mean `references`?"),
        ("resolutoin", "Did you mean `resolution`?"),
        ("timeout", "Framegate(url, timeout=30)"),
        ("zzz", "Valid arguments: model, prompt, references, "),
    ],
)
def test_an_unknown_argument_is_answered_with_the_one_that_is_meant_before_anything_is_sent(
    client: Framegate, plan: Plan, name: str, advice: str
):
    arguments: Any = {"prompt": "x", name: 1}
    for call in (client.videos.create, client.videos.check):
        with pytest.raises(TypeError) as raised:
            call(**arguments)
        assert str(raised.value).startswith(f"Unknown argument `{name}`. ")
        assert advice in str(raised.value)
    assert plan.received == []


def test_an_unknown_key_of_a_reference_is_an_error(client: Framegate, plan: Plan):
    reference: Any = {"url": "https://h/a.png", "labell": "x"}
    with pytest.raises(TypeError, match="unknown key `labell`"):
        client.videos.create(prompt="x", references=[reference])
    assert plan.received == []


@pytest.mark.parametrize(
    "shape", [str, Path, Path.read_bytes, lambda path: io.BytesIO(path.read_bytes()), lambda path: {"url": path}]
)
def test_a_single_reference_needs_no_list(client: Framegate, plan: Plan, tmp_path: Path, shape: Callable[[Path], Any]):
    photo = tmp_path / "cat.png"
    photo.write_bytes(PNG)
    client.videos.create(prompt="x", references=shape(photo))

    [create] = plan.requests("POST", "/videos")
    assert len(create.json["input_references"]) == 1
    assert plan.requests("POST", "/assets")[0].body == PNG


def test_references_may_be_any_iterable(client: Framegate, plan: Plan):
    references: Any = (url for url in ("https://h/a.png", "https://h/b.png"))
    client.videos.create(prompt="x", references=references)

    assert len(plan.requests("POST", "/videos")[0].json["input_references"]) == 2


def test_a_client_waits_for_a_silent_gateway_as_long_as_its_timeout_says():
    async_client = AsyncFramegate("http://127.0.0.1:9", timeout=3)
    with Framegate("http://127.0.0.1:9", timeout=2) as client, Framegate("http://127.0.0.1:9") as usual:
        timeouts = [each._http.timeout.read for each in (client, async_client, usual)]

    assert timeouts == [2, 3, 120]
    with pytest.raises(ValueError, match="above 0"):
        Framegate("http://127.0.0.1:9", timeout=0)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_cannot_represent_is_rejected_with_its_field_before_anything_is_sent(
    client: Framegate, plan: Plan, number: float
):
    with pytest.raises(InvalidRequest, match="`max_cost_usd` must be a finite number"):
        client.videos.check(prompt="x", max_cost_usd=number)
    with pytest.raises(InvalidRequest, match=r"`provider\.options\.fal\.cfg` must be a finite number") as raised:
        client.videos.create(prompt="x", provider={"options": {"fal": {"cfg": number}}})

    assert raised.value.problems[0].pointer == "/provider/options/fal/cfg"
    assert plan.received == []


@pytest.mark.parametrize("text", ["", "models", "check", "..", "../../keys", "a/b", "a?b", "a b", "a" * 65])
def test_a_text_that_cannot_be_a_job_id_is_not_sent(client: Framegate, plan: Plan, text: str):
    with pytest.raises(NotFound, match="Job not found"):
        client.videos.get(text)
    with pytest.raises(NotFound, match="Job not found"):
        client.videos.cancel(text)

    assert plan.received == []


@pytest.mark.parametrize("key", ["fg_a\nb", "fg_a b", "fg_ä"])
def test_a_key_that_a_header_cannot_carry_is_rejected_and_not_repeated(address: str, key: str):
    with pytest.raises(KeyInvalid) as raised:
        Framegate(address, key)

    assert "fg_" not in str(raised.value)


def test_the_key_is_sent_to_the_gateway(address: str, plan: Plan):
    with Framegate(address, "secret") as client:
        client.models.list()

    assert plan.received[0].headers["authorization"] == "Bearer secret"


def test_address_and_key_come_from_the_environment(address: str, plan: Plan, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FRAMEGATE_URL", address)
    monkeypatch.setenv("FRAMEGATE_API_KEY", "from-env")
    with Framegate() as client:
        client.models.list()

    assert plan.received[0].headers["authorization"] == "Bearer from-env"


@pytest.mark.parametrize(
    "address", ["localhost:1", "http://localhost:1/", "http://localhost:1/api/v1", "http://localhost:1"]
)
def test_any_form_of_the_address_leads_to_the_api(address: str):
    assert base_url(address) == "http://localhost:1/api/v1"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        *((clients, name) for name in ("Framegate", "Videos", "Models", "Assets")),
        *((jobs, name) for name in ("Job", "Video")),
        (admin, "Admin"),
    ],
)
def test_sync_and_async_have_equal_signatures(module: ModuleType, name: str):
    sync, twin = getattr(module, name), getattr(module, f"Async{name}")
    methods = {key for key in vars(sync) if not key.startswith("_")}

    assert methods == {key for key in vars(twin) if not key.startswith("_")}
    for method in methods:
        first, second = vars(sync)[method], vars(twin)[method]
        if inspect.isfunction(first):
            assert list(inspect.signature(first).parameters.values()) == list(
                inspect.signature(second).parameters.values()
            )
            assert first.__doc__ == second.__doc__


def test_both_clients_have_equal_constructors():
    plain = [parameter.name for parameter in inspect.signature(Framegate).parameters.values()]
    assert plain == [parameter.name for parameter in inspect.signature(AsyncFramegate).parameters.values()]
