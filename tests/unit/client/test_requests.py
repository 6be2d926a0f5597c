"""What the SDK sends."""

import hashlib
import inspect
import io
from pathlib import Path

import pytest

from framegate import AsyncFramegate, Framegate
from framegate.client import KeyInvalid
from framegate.client import client as gates
from framegate.client.requests import base_url
from framegate.domain.errors import InvalidRequest, NotFound
from support.fake_gateway import Plan

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32


def test_the_whole_body_of_a_create_is_in_the_native_dialect(gate: Framegate, plan: Plan, tmp_path: Path):
    photo = tmp_path / "front.jpg"
    photo.write_bytes(b"\xff\xd8\xff photo")
    clip = {"url": "https://example.com/clip.mp4?x=1", "role": "source"}
    style = {"url": "https://example.com/a.png", "reference_type": "style"}

    gate.videos.create(
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
    [create] = plan.asked("POST", "/videos")
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


def test_a_local_file_is_sent_as_what_it_is(gate: Framegate, plan: Plan, tmp_path: Path):
    photo = tmp_path / "a.png"
    photo.write_bytes(PNG * 100_000)

    asset = gate.assets.upload(photo)

    [upload] = plan.asked("POST", "/assets")
    assert (upload.body, upload.headers["content-type"]) == (photo.read_bytes(), "image/png")
    assert upload.headers["content-length"] == str(len(PNG) * 100_000)
    assert asset.url.startswith("asset://")


@pytest.mark.parametrize("missing", ["nope.jpg", Path("nope.jpg"), Path(), "x" * 5000, "\0"])
def test_a_path_without_a_file_is_refused_before_anything_is_sent(gate: Framegate, plan: Plan, missing: str | Path):
    with pytest.raises(InvalidRequest) as refusal:
        gate.videos.create(prompt="x", references=["https://example.com/a.png", missing])

    assert refusal.value.problems[0].pointer == "/references/1"
    assert plan.seen == []


def test_a_misspelt_argument_is_an_error(gate: Framegate):
    with pytest.raises(TypeError, match="text"):
        gate.videos.create(text="x")  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_has_not_is_refused_with_its_field_before_anything_is_sent(
    gate: Framegate, plan: Plan, number: float
):
    with pytest.raises(InvalidRequest, match="`max_cost_usd` must be a number"):
        gate.videos.check(prompt="x", max_cost_usd=number)
    with pytest.raises(InvalidRequest, match=r"`provider\.options\.fal\.cfg` must be a number") as refused:
        gate.videos.create(prompt="x", provider={"options": {"fal": {"cfg": number}}})

    assert refused.value.problems[0].pointer == "/provider/options/fal/cfg"
    assert plan.seen == []


@pytest.mark.parametrize("text", ["", "models", "check", "..", "../../keys", "a/b", "a?b", "a b", "a" * 65])
def test_a_text_that_can_be_no_jobs_id_leads_nowhere(gate: Framegate, plan: Plan, text: str):
    with pytest.raises(NotFound, match="There is no job"):
        gate.videos.get(text)
    with pytest.raises(NotFound, match="There is no job"):
        gate.videos.cancel(text)

    assert plan.seen == []


@pytest.mark.parametrize("key", ["fg_a\nb", "fg_a b", "fg_ä"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_repeated(address: str, key: str):
    with pytest.raises(KeyInvalid) as refused:
        Framegate(address, key)

    assert "fg_" not in str(refused.value)


def test_the_key_goes_to_the_gate(address: str, plan: Plan):
    with Framegate(address, "secret") as gate:
        gate.models.list()

    assert plan.seen[0].headers["authorization"] == "Bearer secret"


def test_address_and_key_come_from_the_environment(address: str, plan: Plan, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FRAMEGATE_URL", address)
    monkeypatch.setenv("FRAMEGATE_API_KEY", "from-env")
    with Framegate() as gate:
        gate.models.list()

    assert plan.seen[0].headers["authorization"] == "Bearer from-env"


@pytest.mark.parametrize(
    "given", ["localhost:1", "http://localhost:1/", "http://localhost:1/api/v1", "http://localhost:1"]
)
def test_any_form_of_the_address_leads_to_the_api(given: str):
    assert base_url(given) == "http://localhost:1/api/v1"


@pytest.mark.parametrize("name", ["Gate", "Job", "Video", "Videos", "Models", "Assets"])
def test_sync_and_async_have_equal_signatures(name: str):
    sync, twin = getattr(gates, name), getattr(gates, f"Async{name}")
    methods = {key for key in vars(sync) if not key.startswith("_")}

    assert methods == {key for key in vars(twin) if not key.startswith("_")}
    for method in methods:
        ours, theirs = vars(sync)[method], vars(twin)[method]
        if inspect.isfunction(ours):
            assert list(inspect.signature(ours).parameters.values()) == list(
                inspect.signature(theirs).parameters.values()
            )
            assert ours.__doc__ == theirs.__doc__


def test_gate_and_async_gate_are_made_alike():
    plain = [parameter.name for parameter in inspect.signature(Framegate).parameters.values()]
    assert plain == [parameter.name for parameter in inspect.signature(AsyncFramegate).parameters.values()]
