"""The specification that the animatic provider passes to the renderer."""

from pathlib import Path
from typing import Any

from framegate.domain import Blob, Kind, Order, PreparedReference, Reference, Request, Role, Target
from framegate.providers.animatic.adapter import spec


def ordered(*references: Reference, **target: Any) -> dict[str, Any]:
    settled: dict[str, Any] = {"width": 640, "height": 360, "fps": 24, "duration": 4, "audio": False, "seed": 3}
    order = Order(
        job_id="j",
        key="k",
        request=Request(model="framegate/animatic", prompt="a slow push-in", references=references),
        model="framegate/animatic",
        target=Target(**settled | target),
        references=tuple(
            PreparedReference(
                reference=reference, blob=Blob(sha256="0", size_bytes=1, media_type="x"), path=f"/files/{reference.url}"
            )
            for reference in references
        ),
    )
    return spec(order, Path("/out.mp4"))


def test_references_are_passed_to_the_renderer_by_role():
    fields = ordered(
        Reference(url="first", role=Role.FIRST_FRAME),
        Reference(url="a", name="hero"),
        Reference(url="b"),
        Reference(url="last", role=Role.LAST_FRAME),
    )

    assert (fields["first_frame"], fields["last_frame"]) == ("/files/first", "/files/last")
    assert (fields["references"], fields["names"]) == (["/files/a", "/files/b"], ["hero", None])
    assert (fields["frames"], fields["seed"], fields["output"]) == (96, 3, "/out.mp4")
    assert fields["source"] is fields["style"] is None
    assert fields["audio"] is False


def test_the_first_style_reference_is_used_for_colors_and_not_as_a_shot():
    fields = ordered(
        Reference(url="a"), Reference(url="s", reference_type="style"), Reference(url="t", reference_type="style")
    )

    assert fields["style"] == "/files/s"
    assert fields["references"] == ["/files/a", "/files/t"]


def test_audio_is_rendered_if_the_job_has_it():
    assert ordered(audio=True)["audio"] is True


def test_a_source_video_is_extended_only_if_the_model_extends_videos():
    source = Reference(url="v", kind=Kind.VIDEO, role=Role.SOURCE)

    assert ordered(source, source_seconds=2.0)["source"] == "/files/v"
    assert ordered(source)["source"] is None


def test_any_seed_is_mapped_to_one_that_the_renderer_accepts():
    seeds = {ordered(seed=seed)["seed"] for seed in (-1, 2**63, 2**70)}

    assert len(seeds) == 3
    assert all(0 <= seed < 2**63 for seed in seeds)
