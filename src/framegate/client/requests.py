"""Requests to the gate as plain values: built here, sent by whoever can."""

import io
import math
import mimetypes
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import IO, Any, TypedDict, cast
from urllib.parse import quote

from framegate.domain import Kind, Problem, Role
from framegate.domain.errors import InvalidRequest, NotFound

DEFAULT_URL = "http://127.0.0.1:8787"
DEFAULT_MODEL = "framegate/animatic"
ADDRESSES = ("https://", "http://", "data:", "asset://")
CHUNK_BYTES = 256 * 1024
JOB_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
NOT_JOBS = ("models", "check")  # what lies beside the jobs

Source = str | PathLike[str] | bytes | IO[bytes]  # an address, a path, or what the file holds


class ReferenceInput(TypedDict, total=False):
    """A reference with more to say than where it lies."""

    url: Source
    role: str  # reference, first_frame, last_frame, source, mask
    name: str  # the prompt calls it @name
    reference_type: str  # what of it guides: asset, style, character, location
    kind: str  # image, video, audio; by the file's name where not given


class VideoRequest(TypedDict, total=False):
    """What `videos.create` and `videos.check` take; whatever is left out, the model decides."""

    model: str | None
    prompt: str | None
    references: Sequence[Source | ReferenceInput]
    first_frame: Source | None
    last_frame: Source | None
    duration: int | None  # seconds
    resolution: str | None  # "720p"
    aspect_ratio: str | None  # "16:9"
    size: str | None  # "1280x720"
    fps: int | None
    seed: int | None
    generate_audio: bool | None
    negative_prompt: str | None
    models: Sequence[str]  # fall-backs, in order
    provider: Mapping[str, Any] | None  # order, only, ignore, options
    max_cost_usd: float | None
    metadata: Mapping[str, str] | None
    callback_url: str | None
    previous_job_id: str | None  # a completed job to go on from


PLAIN_FIELDS = tuple(VideoRequest.__annotations__.keys() - {"references", "first_frame", "last_frame"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A local file on its way to the gate."""

    source: Path | bytes
    media_type: str

    @property
    def size_bytes(self) -> int:
        """The length, told ahead so that a file that is too large is refused before it is sent."""
        return len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size

    def chunks(self) -> Iterator[bytes]:
        """Read the file piece by piece, so that a long video does not fill the memory."""
        with io.BytesIO(self.source) if isinstance(self.source, bytes) else self.source.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP request, relative to the API's base URL."""

    method: str
    path: str
    params: Mapping[str, str | int | float | list[str]] = field(
        default_factory=dict[str, str | int | float | list[str]]
    )
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    json: Any = None
    upload: Upload | None = None
    repeatable: bool = True  # sending it twice does no more than sending it once
    timeout_seconds: float | None = None  # without a byte; None: the client's own


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedReference:
    """A reference as the caller gave it: an address that stands, or a file that must be uploaded first."""

    source: str | Upload
    kind: str
    role: str
    name: str | None = None
    type: str | None = None


def base_url(address: str) -> str:
    """Complete the address of a gate to the base URL of its API."""
    address = address.rstrip("/")
    if "://" not in address:
        address = f"http://{address}"
    return address if address.endswith("/api/v1") else f"{address}/api/v1"


def video_path(job_id: str, tail: str = "") -> str:
    """The path of one job. Raises `NotFound` for a text that can be no id, and would lead elsewhere."""
    if not JOB_ID.fullmatch(job_id) or job_id in NOT_JOBS:
        raise NotFound(f"There is no job {job_id[:64]!r} here.")
    return f"/videos/{quote(job_id, safe='')}{tail}"


def inputs(request: VideoRequest) -> list[ResolvedReference]:
    """Read the references of a request; a path that leads to no file is refused here, before anything is sent."""
    unknown = request.keys() - VideoRequest.__annotations__.keys()
    if unknown:
        raise TypeError(f"unexpected arguments: {', '.join(sorted(unknown))}")
    found: list[ResolvedReference] = []
    for role in (Role.FIRST_FRAME, Role.LAST_FRAME):
        frame = request.get(role.value)
        if frame is not None:
            found.append(_input({"url": frame, "role": role.value}, f"/{role.value}"))
    for index, item in enumerate(request.get("references") or ()):
        described = item if isinstance(item, Mapping) else ReferenceInput(url=item)
        found.append(_input(described, f"/references/{index}"))
    return found


def body(request: VideoRequest, references: Sequence[tuple[ResolvedReference, str]]) -> dict[str, Any]:
    """Build the JSON body; every input comes with the address under which the gate knows it."""
    made: dict[str, Any] = {"model": request.get("model") or DEFAULT_MODEL}
    for name in PLAIN_FIELDS:
        value = request.get(name)
        if value is not None and value != () and name != "model":
            made[name] = list(value) if name == "models" else value
            _look_through(value, f"/{name}")
    frames: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for given, url in references:
        part = f"{given.kind}_url"
        item: dict[str, Any] = {"type": part, part: {"url": url}}
        if given.role in (Role.FIRST_FRAME, Role.LAST_FRAME):
            frames.append(item | {"frame_type": given.role})
            continue
        if given.role != Role.REFERENCE:
            item["role"] = given.role
        if given.name:
            item["name"] = given.name
        if given.type:
            item["reference_type"] = given.type
        others.append(item)
    if frames:
        made["frame_images"] = frames
    if others:
        made["input_references"] = others
    return made


def _look_through(value: object, pointer: str) -> None:
    """Refuse NaN and infinity, for which JSON has no number. Raises `InvalidRequest`."""
    if isinstance(value, float) and not math.isfinite(value):
        message = f"`{pointer[1:].replace('/', '.')}` must be a number, and {value} is none."
        raise InvalidRequest([Problem(code="invalid_value", pointer=pointer, message=message)])
    if isinstance(value, Mapping):
        for name, inner in cast("Mapping[str, Any]", value).items():
            _look_through(inner, f"{pointer}/{name}")


def create(made: Mapping[str, Any], key: str | None) -> Call:
    """Ask for a video. The key makes a repeated create the same job, so it may be sent again."""
    headers = {"Idempotency-Key": key or str(uuid.uuid4())}
    return Call(method="POST", path="/videos", json=made, headers=headers)


def upload(given: Upload) -> Call:
    """Store a file; the gate keeps it by its content, so the same file twice is one."""
    headers = {"Content-Type": given.media_type, "Content-Length": str(given.size_bytes)}
    return Call(method="POST", path="/assets", upload=given, headers=headers)


def uploads(source: Source, *, pointer: str = "") -> Upload:
    """Find the file that is meant, and what it holds by its name or its first bytes."""
    if isinstance(source, bytes):
        return Upload(source=source, media_type=_sniffed(source))
    if not isinstance(source, (str, PathLike)):
        held = source.read()
        name = getattr(source, "name", "")
        return Upload(source=held, media_type=_named(name) if isinstance(name, str) else _sniffed(held))
    path = Path(source).expanduser()
    try:
        if path.is_file():
            return Upload(source=path, media_type=_named(path.name))
        what = "a folder, not a file" if path.is_dir() else "no file here and not an address"
    except OSError as error:
        what = f"no file: {error.strerror}"
    message = f"`{str(path)[:200]}` is {what}. Give the path of a picture, or an https:// address."
    raise InvalidRequest([Problem(code="reference_not_found", pointer=pointer, message=message)])


def _input(given: ReferenceInput, pointer: str) -> ResolvedReference:
    source = given.get("url")
    if source is None:
        raise TypeError(f"the reference at {pointer} has no `url`")
    if isinstance(source, str) and source.lower().startswith(ADDRESSES):
        where: str | Upload = source
        media_type = source[5:].split(";", 1)[0] if source.startswith("data:") else _named(source.split("?", 1)[0])
    else:
        where = uploads(source, pointer=pointer)
        media_type = where.media_type
    guessed = media_type.split("/", 1)[0]
    return ResolvedReference(
        source=where,
        kind=given.get("kind") or (guessed if guessed in (Kind.VIDEO, Kind.AUDIO) else Kind.IMAGE),
        role=given.get("role") or Role.REFERENCE,
        name=given.get("name"),
        type=given.get("reference_type"),
    )


def _named(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _sniffed(held: bytes) -> str:
    """Tell the few types that a model takes by their first bytes; the gate looks at the rest."""
    marks = ((b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))
    for mark, media_type in marks:
        if held.startswith(mark):
            return media_type
    if held[:4] == b"RIFF" and held[8:12] == b"WEBP":
        return "image/webp"
    if held[4:8] == b"ftyp":
        return "image/avif" if held[8:12] in (b"avif", b"avis") else "video/mp4"
    return "application/octet-stream"
