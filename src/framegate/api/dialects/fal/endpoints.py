"""The endpoints that fal's clients can use: fal's own, and every model of the catalogue."""

from collections.abc import Iterator
from dataclasses import replace

from framegate.catalogue import Catalogue, Model
from framegate.catalogue.fal_schema import Endpoint, Field, app_of, endpoints
from framegate.domain import Kind, Role

__all__ = ["Endpoint", "Field", "app_of", "endpoints", "find"]

PREFIX = "fal-ai/"  # some clients put it before every id
SINGLE_IMAGE = "image_url"
REFERENCE_IMAGE = f"{Role.REFERENCE}.{Kind.IMAGE}"


def find(endpoint_id: str, catalogue: Catalogue) -> Endpoint | None:
    """The endpoint with that id, or one for the model with that name, derived from its catalog entry."""
    for name in (endpoint_id, endpoint_id.removeprefix(PREFIX)):
        if name in endpoints():
            return _with_single_image(endpoints()[name])
        model = catalogue.get(name)
        if model is not None:
            return _with_single_image(Endpoint(id=name, fields=tuple(_fields_of(model))))
    return None


def _with_single_image(endpoint: Endpoint) -> Endpoint:
    """The endpoint, whose only field of reference images also accepts one as `image_url`.

    Some clients, such as @ai-sdk/fal and huggingface_hub, send an image by this name to every endpoint.
    """
    images = [field for field in endpoint.fields if field.type in ("url", "urls") and field.to == REFERENCE_IMAGE]
    if len(images) != 1 or endpoint.field(SINGLE_IMAGE) is not None:
        return endpoint
    accepting = replace(images[0], aliases=(*images[0].aliases, SINGLE_IMAGE))
    return replace(endpoint, fields=tuple(accepting if field is images[0] else field for field in endpoint.fields))


def _fields_of(model: Model) -> Iterator[Field]:
    """The fields of a model without an endpoint of its own, under fal's usual names; validation knows their limits."""
    limits = model.limits
    yield Field(name="prompt", to="prompt", required=bool(limits.prompt.required))
    references = {
        (Role.REFERENCE, Kind.IMAGE): Field(name="image_urls", type="urls"),
        (Role.REFERENCE, Kind.VIDEO): Field(name="video_urls", type="urls"),
        (Role.REFERENCE, Kind.AUDIO): Field(name="audio_urls", type="urls"),
        (Role.FIRST_FRAME, Kind.IMAGE): Field(name="start_image_url", type="url", aliases=("image_url",)),
        (Role.LAST_FRAME, Kind.IMAGE): Field(name="end_image_url", type="url"),
        (Role.SOURCE, Kind.VIDEO): Field(name="video_url", type="url"),
        (Role.MASK, Kind.VIDEO): Field(name="mask_video_url", type="url"),
        (Role.MASK, Kind.IMAGE): Field(name="mask_image_url", type="url"),
    }
    for (role, kind), field in references.items():
        if kind in limits.references.get(role, {}):
            yield replace(field, to=f"{role}.{kind}")
    yield Field(name="duration", to="duration", type="integer", min=1)
    for name in ("resolution", "aspect_ratio", "negative_prompt"):
        yield Field(name=name, to=name)
    yield Field(name="generate_audio", to="generate_audio", type="boolean")
    yield Field(name="seed", to="seed", type="integer")
    if limits.fps:
        yield Field(name="frames_per_second", to="fps", type="integer", min=1, aliases=("fps",))
