"""Needs 4, 5, 13 and 14: references arrive, each in its place, and as the model takes them."""

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from support.studio import FAILED, FAL_FAILED, Order, Studio, pictures
from support.studio_client import Client, image

TWO = {"name": "hero"}, {"name": "place"}


def data_url(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def encoded(size: tuple[int, int], kind: str) -> bytes:
    """A picture of that size and format."""
    file = io.BytesIO()
    Image.new("RGB", size, (200, 90, 40)).save(file, kind)
    return file.getvalue()


def ordered(client: Client, service: Studio, prompt: str, **wanted: Any) -> Order:
    """The order that a request becomes; nothing is made of it, for only the order counts here."""
    mark = prompt.split(maxsplit=1)[0]
    service.plan(mark, looks=[FAL_FAILED if "provider" in wanted else FAILED])
    job = client.made(prompt, **wanted)
    assert (job["status"], len(service.taken(mark))) == ("failed", 1), job
    return service.taken(mark)[0]


def test_04_every_reference_arrives_whole_and_in_its_order(client: Client, service: Studio, photos: tuple[Path, ...]):
    given = [photo.read_bytes() for photo in photos[:3]]
    by_upload, by_data_url, again = client.upload(given[0]), data_url(given[1]), client.upload(given[2])
    references = [image(by_upload), image(by_data_url), image(again), image(by_upload)]
    order = ordered(client, service, "take-whole", input_references=references)

    assert pictures(order) == [given[0], given[1], given[2], given[0]]


def test_04_what_a_model_would_leave_out_is_refused_and_not_dropped(client: Client, service: Studio, pixel: str):
    beside = client.problems(
        "take-dropped",
        input_references=[image(pixel)],
        frame_images=[image(pixel, frame_type="first_frame")],
    )
    many = client.problems("take-dropped", input_references=[image(pixel)] * 8)

    assert set(beside) == {"references_exclude_frames"}
    assert (many["too_many_references"]["nearest"], set(many)) == (7, {"too_many_references"})
    assert service.taken("take-dropped") == []


def test_05_the_same_named_references_are_called_as_each_model_calls_them(client: Client, service: Studio, pixel: str):
    references = [image(pixel, **name) for name in TWO]
    large = client.upload(encoded((400, 400), "PNG"))
    for_grok = ordered(client, service, "take-grok @hero walks through @place", input_references=references)
    for_horse = ordered(
        client,
        service,
        "take-horse @hero walks through @place",
        model="alibaba/happyhorse-1.1",
        duration=3,
        resolution="720p",
        input_references=[image(large, **name) for name in TWO],
    )

    assert for_grok.body["prompt"] == "take-grok @Image1 walks through @Image2"
    assert for_horse.body["prompt"] == "take-horse character1 walks through character2"
    assert "unknown" in str(client.problems("take-nobody @villain", input_references=references))


def test_05_first_last_and_reference_each_have_their_own_place(client: Client, service: Studio):
    first, last = encoded((64, 64), "PNG"), encoded((96, 96), "PNG")
    wan = {"model": "alibaba/wan-2.7", "duration": 2, "resolution": "720p"}
    frames = [image(data_url(last), role="last_frame"), image(data_url(first), role="first_frame")]
    order = ordered(client, service, "take-frames", input_references=frames, **wan)

    sent = {one["frame_type"]: one["image_url"]["url"] for one in order.body["frame_images"]}
    assert sent == {"first_frame": data_url(first), "last_frame": data_url(last)}
    assert "input_references" not in order.body


def test_13_a_local_file_reaches_a_service_that_fetches_references_itself(client: Client, service: Studio):
    file = encoded((80, 60), "PNG")
    at_fal = ordered(
        client, service, "take-local", provider={"only": ["fal"]}, input_references=[image(data_url(file))]
    )

    assert service.uploads[-1] == file
    assert at_fal.body["reference_image_urls"] == [f"https://files.example/{len(service.uploads)}.png"]


def test_13_where_there_is_no_way_to_hand_a_file_over_the_check_says_what_would_do(client: Client, pixel: str):
    verdict = client.check(
        "take-unreachable", model="pixverse/pixverse-5.5", duration=5, resolution=None, input_references=[image(pixel)]
    )

    (problem,) = verdict["problems"]
    assert problem["code"] == "reference_out_of_reach"
    assert "https:// URL" in problem["message"]
    assert "public_url" in problem["message"]


def test_14_a_picture_that_is_too_small_for_the_model_is_made_to_fit_and_the_job_says_how(
    client: Client, service: Studio
):
    horse = {"model": "alibaba/happyhorse-1.1", "duration": 3, "resolution": "720p"}
    reference = image(data_url(encoded((120, 90), "PNG")))
    foreseen = client.check("take-small", input_references=[reference], **horse)
    order = ordered(client, service, "take-small", input_references=[reference], **horse)
    (job,) = [one for one in client.http.get("/videos").json()["data"] if one["prompt"] == "take-small"]

    with Image.open(io.BytesIO(pictures(order)[0])) as sent:
        assert min(sent.size) == 400
        assert sent.size[0] / sent.size[1] == pytest.approx(120 / 90, abs=0.01)
    assert "400" in str(job["adjustments"])
    assert foreseen["adjustments"] == job["adjustments"]


def test_14_a_picture_in_a_format_that_the_model_does_not_take_is_turned_into_one_that_it_does(
    client: Client, service: Studio
):
    seedance = {"model": "bytedance/seedance-2.0", "duration": 4}
    reference = image(data_url(encoded((320, 240), "GIF"), "image/gif"))
    order = ordered(client, service, "take-gif", input_references=[reference], **seedance)

    with Image.open(io.BytesIO(pictures(order)[0])) as sent:
        assert (sent.format, sent.size) in (("PNG", (320, 240)), ("JPEG", (320, 240)))
