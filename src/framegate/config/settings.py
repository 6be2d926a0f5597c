"""The settings of a gateway, as one model."""

import importlib.util
import ipaddress
import os
import ssl
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from framegate.config.accounts import Account, Address, WebhookEndpoint
from framegate.config.web_names import parse_host, parse_list, parse_origin
from framegate.domain.errors import FramegateError

TABLES = frozenset({"accounts", "webhook_endpoints", "model_deadline_seconds"})  # can only be set in framegate.toml


class SettingsInvalid(FramegateError):
    """The settings are not valid."""

    code = "settings_invalid"


def default_data_dir() -> Path:
    """The user's data folder of the platform."""
    from platformdirs import user_data_path  # noqa: PLC0415 - not needed when a folder is given

    return user_data_path("framegate", appauthor=False)


class Settings(BaseModel):
    """Everything that an operator can set.

    `framegate.config.loading` reads each field from the command line, the environment and framegate.toml.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path = Field(
        default_factory=default_data_dir, description="Folder of the database, the files and the lock."
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=8787, description="Port to listen on; 0 selects a free one."
    )
    public_url: Address | None = Field(
        default=None,
        description="Base URL at which clients and providers reach the gateway. Default: the `Host` header.",
    )
    database_url: str | None = Field(
        default=None, description="SQLAlchemy URL (`postgresql+asyncpg://…`). Default: SQLite in the data folder."
    )
    api_key: str | None = Field(
        default=None,
        repr=False,
        description="The operator key. Without it and without `framegate keys`, the gateway listens on loopback only "
        "and needs no authentication.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description="Hostnames at which the gateway may be called, in addition to its own address: "
        "`a.example, b.example`, without scheme and port.",
    )
    allowed_origins: tuple[str, ...] = Field(
        default=(),
        description="Web origins whose pages may call the gateway: `https://a.example, http://localhost:3000`.",
    )
    vendor_hostnames: bool = Field(default=True, description="With API keys: serve a vendor's API at its own hostname.")
    sandbox: bool = Field(
        default=False,
        description="Every model responds with its own limits; the animatic renderer makes the file; no provider is "
        "called.",
    )
    signed_url_ttl_seconds: Annotated[int, Field(ge=60)] = Field(
        default=24 * 3600, description="Lifetime of a signed URL."
    )
    allow_private_addresses: bool = Field(
        default=False,
        description="Allow references from private and loopback addresses, and webhooks to them, also by http.",
    )
    allow_http_webhooks: bool = Field(
        default=False,
        description="Allow webhooks by http as well; their content and signature are then readable on the way.",
    )
    connections_max: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=8192,
        description="Maximum number of connections; those without a request give way to new ones. Each is an open "
        "file.",
    )
    header_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = Field(
        default=15.0, description="Maximum time to receive the header of a request."
    )
    contact: Annotated[str, Field(pattern=r"^[!-'*-~]{1,200}$")] | None = Field(
        default=None,
        description="URL or e-mail address in the `User-Agent` of outgoing requests, which some sites require. "
        "Default: `public_url`.",
    )
    ca_bundle: Path | None = Field(
        default=None,
        description="PEM file of certificate authorities that are trusted too, for references, webhooks and accounts.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Format of the log on stderr: lines of text, or one JSON object per line."
    )
    open_jobs_max: Annotated[int, Field(ge=1)] = Field(
        default=10_000, description="Maximum number of open jobs; further creates get a 429."
    )
    job_deadline_seconds: Annotated[int, Field(ge=1)] = Field(
        default=3600, description="A job that has not ended by then expires."
    )
    model_deadline_seconds: Mapping[str, Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict[str, int],
        description="The same for single models, as the table `[model_deadline_seconds]`.",
    )
    duplicate_create_window_seconds: Annotated[int, Field(ge=0)] = Field(
        default=600,
        description="How long an identical create returns the same job if the response to the first was never "
        "delivered; 0 turns this off.",
    )
    render_workers: Annotated[int, Field(ge=1, le=64)] = Field(
        default_factory=lambda: max(1, (os.cpu_count() or 2) // 2),
        description="Simultaneous renders, each in its own process.",
    )
    check_workers: Annotated[int, Field(ge=1, le=64)] = Field(
        default_factory=lambda: max(1, (os.cpu_count() or 2) // 2),
        description="Simultaneous checks of finished files, each in its own process.",
    )
    decoder_bytes_max: Annotated[int, Field(ge=256 * 2**20)] = Field(
        default=2**30,
        description="Maximum memory of one process that decodes pictures, videos and sounds (Linux only).",
    )
    quality_model_dir: Path | None = Field(
        default=None,
        description="Folder of a DINOv2 or CLIP model for the learned checks. Nothing is downloaded.",
    )
    body_bytes_max: Annotated[int, Field(ge=1024)] = Field(
        default=32 * 2**20, description="Maximum size of a JSON body, including data URLs."
    )
    reference_bytes_max: Annotated[int, Field(ge=1024)] = Field(
        default=50 * 2**20, description="Maximum size of a reference picture."
    )
    reference_pixels_max: Annotated[int, Field(ge=1)] = Field(
        default=100_000_000, description="Maximum number of pixels of a reference picture."
    )
    video_bytes_max: Annotated[int, Field(ge=1024)] = Field(
        default=2 * 2**30, description="Maximum size of a video, downloaded or uploaded."
    )
    disk_free_bytes_min: Annotated[int, Field(ge=0)] = Field(
        default=64 * 2**20, description="Free space of the data folder below which nothing new is accepted or ordered."
    )
    fetch_timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        default=30.0, description="Maximum time to download one reference."
    )
    fetch_redirects_max: Annotated[int, Field(ge=0, le=20)] = Field(
        default=5, description="Maximum number of redirects for one reference."
    )
    download_timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        default=900.0, description="Maximum time to download a finished video from its provider."
    )
    accounts: tuple[Account, ...] = Field(default=(), description="Accounts at providers, as `[[accounts]]`.")
    webhook_endpoints: tuple[WebhookEndpoint, ...] = Field(
        default=(), description="Webhook receivers that clients refer to by id, as `[[webhook_endpoints]]`."
    )
    catalogue_dir: Path | None = Field(default=None, description="Folder with your own catalog entries.")
    allow_unpriced_jobs: bool = Field(
        default=False,
        description="Let a key with a budget create jobs without a known price; they count as zero.",
    )
    pictory_usd_per_credit: Annotated[Decimal, Field(gt=0, le=1000, max_digits=12)] | None = Field(
        default=None, description="Price of an AI credit on your Pictory plan; without it, its prices are unknown."
    )

    @field_validator("allowed_hosts")
    @classmethod
    def _parse_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return parse_list(hosts, parse_host)

    @field_validator("allowed_origins")
    @classmethod
    def _parse_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        return parse_list(origins, parse_origin)

    @field_validator("database_url")
    @classmethod
    def _check_driver(cls, url: str | None) -> str | None:
        scheme = (url or "").partition("://")[0]
        if url and scheme not in ("sqlite+aiosqlite", "postgresql+asyncpg"):  # the URL itself may hold a password
            raise ValueError("must begin with postgresql+asyncpg:// or sqlite+aiosqlite://")
        if scheme == "postgresql+asyncpg" and not importlib.util.find_spec("asyncpg"):
            raise ValueError(
                "needs asyncpg for PostgreSQL, which is not installed: pip install '.[postgres]' in a checkout"
            )
        return url

    @field_validator("ca_bundle")
    @classmethod
    def _check_certificates(cls, path: Path | None) -> Path | None:
        if path is not None:
            try:
                ssl.create_default_context(cafile=str(path))
            except OSError as error:
                raise ValueError("must be a readable PEM file with certificates") from error
        return path

    def deadline_seconds(self, model: str) -> int:
        """How long a job of a model may take, by the model's canonical id."""
        return self.model_deadline_seconds.get(model, self.job_deadline_seconds)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_protected(settings: Settings, *, needs_key: bool) -> None:
    """Refuse to listen for other machines without a key. Raises `SettingsInvalid`."""
    if not needs_key and not is_loopback(settings.host):
        raise SettingsInvalid(
            f"Without an API key, the gateway listens on loopback only, and {settings.host} is not a loopback address. "
            "Create a key first: framegate keys create"
        )
