"""Values to rows and back. A job's request is written once; the rest of the job with every transition."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from enum import StrEnum
from math import isfinite
from typing import Any, cast
from urllib.parse import urlsplit

from pydantic import TypeAdapter

from framegate.domain import Attempt, BudgetPeriod, Delivery, DeliveryState, Event, Job, Key, Request, Scope, State
from framegate.domain.ledger import Entry, EntryState
from framegate.domain.provider_text import clean_line, clean_text

DEPTH_MAX = 100  # of a provider's JSON as it is stored
TOO_DEEP = "(nested too deeply to be stored)"
HOST_CHARS_MAX = 255
STAGE_CHARS_MAX = 64
_OPAQUE_FIELDS = frozenset({"handle", "provider_files", "prepared", "outputs", "account_url", "account_key", "target"})
DELIVERY_FIELDS = tuple(field.name for field in fields(Delivery) if field.name != "log")

_SHA256 = re.compile(r"[0-9a-f]{64}")
_job: TypeAdapter[Job] = TypeAdapter(Job)
_request: TypeAdapter[Request] = TypeAdapter(Request)

Row = Mapping[Any, Any]  # SQLAlchemy does not type its keys as text


# -- jobs


def dump_request(request: Request) -> str:
    return _request.dump_json(request, exclude_defaults=True).decode()


def dump_document(job: Job) -> str:
    """Return all of a job but its request, as JSON."""
    return _job.dump_json(job, exclude={"request"}, exclude_defaults=True).decode()


def load_job(request: str, document: str) -> Job:
    """Return a job from the two JSON documents of its row."""
    return _job.validate_json(f'{{"request":{request},{document[1:]}')


def job_columns(job: Job, *, due_at: float) -> dict[str, Any]:
    """Return the columns that change with every transition."""
    return {
        "state": job.state.value,
        "is_open": not job.state.is_final,
        "version": job.version,
        "due_at": due_at,
        "cancel_requested": job.cancel_requested,
        "state_json": dump_document(job),
    }


def blob_hashes(*documents: str) -> frozenset[str]:
    """Return every SHA-256 in JSON documents: the blobs that a job references, wherever it names them."""
    return frozenset(sha256 for document in documents for sha256 in _SHA256.findall(document))


def event_columns(job: Job) -> dict[str, Any]:
    """Return the event of a transition, from the job after it."""
    return {
        "job_id": job.id,
        "seq": job.version,
        "at": job.updated_at,
        "state": job.state.value,
        "stage": job.stage,
        "progress": job.progress,
    }


def load_event(row: Row) -> Event:
    columns: dict[str, Any] = {**row, "state": State(row["state"])}
    return Event(**columns)


# -- webhooks


def delivery_columns(delivery: Delivery) -> dict[str, Any]:
    """Return the row of a new delivery."""
    return {
        **{name: getattr(delivery, name) for name in DELIVERY_FIELDS},
        "state": delivery.state.value,
        "host": host_of(delivery.url),
        "fence": 0,
        "worker": None,
        "lease_until": None,
    }


def load_delivery(row: Row, log: Sequence[Attempt] = ()) -> Delivery:
    columns: dict[str, Any] = {name: row[name] for name in DELIVERY_FIELDS}
    columns.update(state=DeliveryState(row["state"]), log=tuple(log))
    return Delivery(**columns)


def attempt_columns(delivery_id: str, attempt: Attempt) -> dict[str, Any]:
    return {"delivery_id": delivery_id, **_fields(attempt)}


def load_attempt(row: Row) -> Attempt:
    columns: dict[str, Any] = {name: row[name] for name in row if name != "delivery_id"}
    return Attempt(**columns)


def host_of(url: str) -> str:
    """Return the host of a URL, which identifies the receiver; empty for an invalid URL."""
    try:
        return (urlsplit(url).hostname or "")[:HOST_CHARS_MAX]
    except ValueError:
        return ""


# -- keys and money


def key_columns(key: Key) -> dict[str, Any]:
    return {**_fields(key), "scopes": " ".join(key.scopes)}


def load_key(row: Row) -> Key:
    columns: dict[str, Any] = {**row, "scopes": tuple(Scope(word) for word in row["scopes"].split())}
    if row["budget_period"] is not None:
        columns["budget_period"] = BudgetPeriod(row["budget_period"])
    return Key(**columns)


def entry_columns(entry: Entry) -> dict[str, Any]:
    return {**_fields(entry), "state": entry.state.value}


def load_entry(row: Row) -> Entry:
    columns: dict[str, Any] = {**row, "state": EntryState(row["state"])}
    return Entry(**columns)


def _fields(value: Attempt | Key | Entry) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


# -- what a provider sends


def storable_changes(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changed fields of a job so that they can be stored and shown.

    Text of a provider loses control characters and the keys of all accounts. Ids and URLs at the provider are kept.
    """
    storable = {name: to_storable(value, _cleaner(name)) for name, value in changes.items()}
    if "stage" in storable:
        storable["stage"] = clean_line(storable["stage"], STAGE_CHARS_MAX)
    return storable


def _cleaner(field: str) -> Callable[[str], str]:
    return _without_surrogates if field in _OPAQUE_FIELDS else clean_text


def _without_surrogates(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def to_storable(value: Any, clean: Callable[[str], str] = _without_surrogates, depth: int = DEPTH_MAX) -> Any:  # noqa: ANN401 - any field of a job
    """Return a field of a job so that it can be stored: each text is cleaned, and the nesting is limited.

    A paid job is not lost because its provider's response cannot be written.
    """
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, Any]", value).items()
        return {clean(name): to_storable(item, clean, depth - 1) for name, item in pairs} if depth else TOO_DEEP
    if isinstance(value, list | tuple):
        items = cast("tuple[Any, ...]", value)
        return tuple(to_storable(item, clean, depth - 1) for item in items) if depth else TOO_DEEP
    if is_dataclass(value) and not isinstance(value, type):
        before = {field.name: getattr(value, field.name) for field in fields(value)}
        after = {name: to_storable(item, clean, depth - 1) for name, item in before.items()}
        changed = {name: item for name, item in after.items() if item != before[name]}
        return replace(value, **changed) if changed else value
    if isinstance(value, float) and not isfinite(value):
        return None
    return clean(value) if isinstance(value, str) and not isinstance(value, StrEnum) else value
