"""Requests to the gateway as plain values; the transport sends them."""

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
from framegate.domain.field_names import similar_fields

DEFAULT_URL = "http://127.0.0.1:8787"
DEFAULT_MODEL = "framegate/animatic"
URL_PREFIXES = ("https://", "http://", "data:", "asset://")
CHUNK_BYTES = 256 * 1024
JOB_ID_PATTERN = re.compile(r"[\w-]{1,64}", re.ASCII)
SDK_NAMES = {"input_references": "references", "first_frame_url": "first_frame", "last_frame_url": "last_frame"}
ELSEWHERE = {  # arguments of other calls
    "timeout": "Set it for the client: Framegate(url, timeout=30); or for the end of the job: job.wait(timeout=600).",
    "api_key": "Set it for the client: Framegate(url, api_key=…).",
    "base_url": "Set it for the client: Framegate(url).",
    "wait": "Wait for the video with job.wait().",
    "output": "Save the video with job.wait().save(path).",
}
RESERVED_IDS = ("models", "check")  # paths beside those of the jobs

ReferenceSource = str | PathLike[str] | bytes | IO[bytes]  # a URL, a path, or the content of the file


class ReferenceInput(TypedDict, total=False):
    """A reference with a role, a name or a type."""

    url: ReferenceSource
    role: str  # reference, first_frame, last_frame, source, mask
    name: str  # the prompt refers to it by @name
    reference_type: str  # asset, style, character, location
    kind: str  # image, video, audio; default: by the file's name


class VideoRequest(TypedDict, total=False):
    """The parameters of `videos.create` and `videos.check`. The model decides about those that are left out."""

    model: str | None
    prompt: str | None
    references: ReferenceSource | ReferenceInput | Sequence[ReferenceSource | ReferenceInput]  # one, or several
    first_frame: ReferenceSource | None
    last_frame: ReferenceSource | None
    duration: int | None  # seconds
    resolution: str | None  # "720p"
    aspect_ratio: str | None  # "16:9"
    size: str | None  # "1280x720"
    fps: int | None
    seed: int | None
    generate_audio: bool | None
    negative_prompt: str | None
    models: Sequence[str]  # fallback models, in order
    provider: Mapping[str, Any] | None  # order, only, ignore, options
    max_cost_usd: float | None
    metadata: Mapping[str, str] | None
    callback_url: str | None
    previous_job_id: str | None  # a completed job whose video is extended


class KeyFields(TypedDict, total=False):
    """The parameters of `admin.create_key`. Default: create and read, without limits, for the owner `default`."""

    name: str
    owner: str
    scopes: Sequence[str]  # create, read, admin
    lifetime_seconds: int | None
    requests_per_minute: int | None
    budget_micro_usd: int | None
    budget_period: str | None  # total, month, day


PLAIN_FIELDS = tuple(VideoRequest.__annotations__.keys() - {"references", "first_frame", "last_frame"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A local file to upload."""

    source: Path | bytes
    media_type: str

    @property
    def size_bytes(self) -> int:
        """The size, sent ahead so that a file that is too large is rejected before it is sent."""
        return len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size

    def chunks(self) -> Iterator[bytes]:
        """The content in pieces, so that a long video does not fill the memory."""
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
    repeatable: bool = True  # idempotent
    timeout_seconds: float | None = None  # without receiving a byte; None: the client's default


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedReference:
    """A reference as a URL, or as a file that must be uploaded first."""

    source: str | Upload
    kind: str
    role: str
    name: str | None = None
    type: str | None = None


def base_url(address: str) -> str:
    """The base URL of the API at a gateway's address."""
    address = address.rstrip("/")
    if "://" not in address:
        address = f"http://{address}"
    return address if address.endswith("/api/v1") else f"{address}/api/v1"


def video_path(job_id: str, tail: str = "") -> str:
    """The path of one job. Raises `NotFound` for a text that cannot be an id and would lead to another path."""
    if not JOB_ID_PATTERN.fullmatch(job_id) or job_id in RESERVED_IDS:
        raise NotFound(f"Job not found: {job_id[:64]!r}.")
    return f"/videos/{quote(job_id, safe='')}{tail}"


def key_path(key_id: str, tail: str) -> str:
    """The path of one API key, below the operator's routes. Raises `NotFound` for a text that cannot be an id."""
    if not JOB_ID_PATTERN.fullmatch(key_id):
        raise NotFound(f"Key not found: {key_id[:64]!r}.")
    return f"/keys/{quote(key_id, safe='')}{tail}"


def resolve_references(request: VideoRequest) -> list[ResolvedReference]:
    """The references of a request. Raises `InvalidRequest` for a path without a file, before anything is sent."""
    _reject_unknown_arguments(request)
    resolved: list[ResolvedReference] = []
    for role in (Role.FIRST_FRAME, Role.LAST_FRAME):
        frame = request.get(role.value)
        if frame is not None:
            resolved.append(_resolve({"url": frame, "role": role.value}, f"/{role.value}"))
    for index, item in enumerate(_several(request.get("references"))):
        reference = cast("ReferenceInput", item if isinstance(item, Mapping) else {"url": item})
        resolved.append(_resolve(reference, f"/references/{index}"))
    return resolved


def _reject_unknown_arguments(request: Mapping[str, object]) -> None:
    """Raise `TypeError` for a misspelt argument, or one that other services call by another name."""
    known = list(VideoRequest.__annotations__)
    unknown = [name for name in request if name not in known]
    if unknown:
        sentences = (_unknown_argument(name, known) for name in unknown)
        raise TypeError(" ".join(sentences))


def _unknown_argument(name: str, known: Sequence[str]) -> str:
    sentence = f"Unknown argument `{name}`."
    if name in ELSEWHERE:
        return f"{sentence} {ELSEWHERE[name]}"
    fields = [SDK_NAMES.get(field, field) for field in similar_fields(name, [*known, *SDK_NAMES])]
    if fields:
        return f"{sentence} Did you mean {' or '.join(f'`{field}`' for field in dict.fromkeys(fields))}?"
    return f"{sentence} Valid arguments: {', '.join(known)}."


def _several(references: object) -> Sequence[Any]:
    """The references as a sequence: a single path, address, file or mapping is one reference."""
    if references is None:
        return ()
    if isinstance(references, (str, bytes, PathLike, Mapping)) or hasattr(references, "read"):
        return [cast("Any", references)]
    return list(cast("Sequence[Any]", references))


def request_body(request: VideoRequest, references: Sequence[tuple[ResolvedReference, str]]) -> dict[str, Any]:
    """Build the JSON body. Each reference comes with its URL."""
    body: dict[str, Any] = {"model": request.get("model") or DEFAULT_MODEL}
    for name in PLAIN_FIELDS:
        value = request.get(name)
        if value is not None and value != () and name != "model":
            body[name] = list(value) if name == "models" else value
            _reject_non_finite(value, f"/{name}")
    frames: list[dict[str, Any]] = []
    input_references: list[dict[str, Any]] = []
    for reference, url in references:
        part = f"{reference.kind}_url"
        item: dict[str, Any] = {"type": part, part: {"url": url}}
        if reference.role in (Role.FIRST_FRAME, Role.LAST_FRAME):
            frames.append(item | {"frame_type": reference.role})
            continue
        if reference.role != Role.REFERENCE:
            item["role"] = reference.role
        if reference.name:
            item["name"] = reference.name
        if reference.type:
            item["reference_type"] = reference.type
        input_references.append(item)
    if frames:
        body["frame_images"] = frames
    if input_references:
        body["input_references"] = input_references
    return body


def _reject_non_finite(value: object, pointer: str) -> None:
    """Reject NaN and infinity, which JSON cannot represent. Raises `InvalidRequest`."""
    if isinstance(value, float) and not math.isfinite(value):
        message = f"`{pointer[1:].replace('/', '.')}` must be a finite number, not {value}."
        raise InvalidRequest([Problem(code="invalid_value", pointer=pointer, message=message)])
    if isinstance(value, Mapping):
        for name, inner in cast("Mapping[str, Any]", value).items():
            _reject_non_finite(inner, f"{pointer}/{name}")


def create(body: Mapping[str, Any], key: str | None) -> Call:
    """Create a job. The idempotency key makes it safe to send again."""
    headers = {"Idempotency-Key": key or str(uuid.uuid4())}
    return Call(method="POST", path="/videos", json=body, headers=headers)


def store_asset(file: Upload) -> Call:
    """Store a file. The storage is content-addressed, so that the same file twice is stored once."""
    headers = {"Content-Type": file.media_type, "Content-Length": str(file.size_bytes)}
    return Call(method="POST", path="/assets", upload=file, headers=headers)


def local_file(source: ReferenceSource, *, pointer: str = "") -> Upload:
    """A local file with its media type, by its name or its first bytes. Raises `InvalidRequest` if there is none."""
    if isinstance(source, bytes):
        return Upload(source=source, media_type=_type_by_content(source))
    if not isinstance(source, (str, PathLike)):
        content = source.read()
        name = getattr(source, "name", "")
        media_type = _type_by_name(name) if isinstance(name, str) else _type_by_content(content)
        return Upload(source=content, media_type=media_type)
    path = Path(source).expanduser()
    try:
        if path.is_file():
            return Upload(source=path, media_type=_type_by_name(path.name))
        reason = "This is a folder" if path.is_dir() else "File not found"
    except OSError as error:
        reason = error.strerror or "This is not a path"
    message = f"{reason}: {str(path)[:200]}. Use the path of a picture, or an https:// URL."
    raise InvalidRequest([Problem(code="reference_not_found", pointer=pointer, message=message)])


def _resolve(reference: ReferenceInput, pointer: str) -> ResolvedReference:
    source = reference.get("url")
    if source is None:
        raise TypeError(f"The reference at {pointer} has no `url`: a path, an address, or the content of the file.")
    known = ReferenceInput.__annotations__.keys()
    if unknown := [name for name in reference if name not in known]:
        raise TypeError(
            f"The reference at {pointer} has an unknown key `{unknown[0]}`. Valid keys: {', '.join(known)}."
        )
    if isinstance(source, str) and source.lower().startswith(URL_PREFIXES):
        location: str | Upload = source
        media_type = (
            source[5:].split(";", 1)[0] if source.startswith("data:") else _type_by_name(source.split("?", 1)[0])
        )
    else:
        location = local_file(source, pointer=pointer)
        media_type = location.media_type
    main_type = media_type.split("/", 1)[0]
    return ResolvedReference(
        source=location,
        kind=reference.get("kind") or (main_type if main_type in (Kind.VIDEO, Kind.AUDIO) else Kind.IMAGE),
        role=reference.get("role") or Role.REFERENCE,
        name=reference.get("name"),
        type=reference.get("reference_type"),
    )


def _type_by_name(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _type_by_content(content: bytes) -> str:
    """The media type by the first bytes, for the types that models accept. The gateway checks the whole file."""
    signatures = ((b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))
    for signature, media_type in signatures:
        if content.startswith(signature):
            return media_type
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content[4:8] == b"ftyp":
        return "image/avif" if content[8:12] in (b"avif", b"avis") else "video/mp4"
    return "application/octet-stream"
