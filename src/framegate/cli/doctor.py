"""`doctor` command: check the installation and the configuration, without a server."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from framegate.cli import console
from framegate.cli.connection import Data, Json, Server
from framegate.cli.console import Exit
from framegate.domain.errors import FramegateError

if TYPE_CHECKING:
    from framegate.cli.doctor_probe import ProbeResult
    from framegate.config.accounts import Account
    from framegate.config.settings import Settings

FREE_BYTES_MIN = 2 * 2**30
LIBRARIES = (
    "av",
    "opencv-python-headless",
    "numpy",
    "pillow",
    "fastapi",
    "uvicorn",
    "sqlalchemy",
    "httpx2",
    "pydantic",
)
Mark = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    name: str
    mark: Mark
    detail: str
    hint: str = ""
    code: str = ""  # of an account whose service was contacted


Ask = Annotated[
    bool, typer.Option("--ask", help="Also contact the service of each account to check its key. Places no order.")
]


def doctor(*, ask: Ask = False, json: Json = False, server: Server = None, data: Data = None) -> None:
    """Check the installation and configuration. Exits 1 if a check fails.

    Example: framegate doctor --ask
    """
    findings = list(_check_all(server, data, ask=ask))
    is_ok = all(finding.mark != "fail" for finding in findings)
    if json:
        console.print_json({"ok": is_ok, "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            hint = f"  ({finding.hint})" if finding.hint else ""
            console.print_wrapped(f"{finding.mark:<4}  {finding.name:<12}  ", finding.detail + hint)
    if not is_ok:
        raise typer.Exit(Exit.FAILED)


def _check_all(server: str | None, data: Path | None, *, ask: bool) -> Iterator[Finding]:
    from framegate.config.environment import client_defaults, environment
    from framegate.config.loading import load, unused_variables

    yield Finding("python", "ok", sys.version.split()[0])
    yield _guarded("libraries", _libraries)
    yield _guarded("encoder", _encoder)
    try:
        settings = load(data_dir=data)
    except FramegateError as error:
        yield Finding("settings", "fail", error.message)
        return
    yield _guarded("data folder", lambda: _data_folder(settings))
    yield _guarded("permissions", lambda: _permissions(settings))
    yield _owner(settings)
    yield (database := _guarded("database", lambda: _database(settings)))
    if database.mark != "fail":
        yield _guarded("key", lambda: _key(settings))
    yield _guarded("models", lambda: _models(settings))
    yield from _accounts(settings, ask=ask and not settings.sandbox)
    for name, reason in unused_variables(settings, environment()):
        yield Finding("variable", "warn", f"{name} has no effect: {reason}")
    if settings.sandbox:
        detail = "on: no provider is called" + (", so none was contacted" if ask else "")
        yield Finding("sandbox", "warn", detail, "FRAMEGATE_SANDBOX=0 turns it off")
    url = server or client_defaults()[0]
    if url:
        yield _server(url)


def _guarded(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except (ImportError, OSError, FramegateError) as error:
        return Finding(name, "fail", str(error))


def _libraries() -> Finding:
    from importlib.metadata import PackageNotFoundError, version

    installed: list[str] = []
    missing: list[str] = []
    for name in LIBRARIES:
        try:
            installed.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding("libraries", "fail", f"missing: {', '.join(missing)}", "pip install framegate")
    return Finding("libraries", "ok", ", ".join(installed))


def _encoder() -> Finding:
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    try:
        return Finding("encoder", "ok", f"H.264 with {Codec('libx264', 'w').name}")
    except UnknownCodecError:
        return Finding(
            "encoder", "fail", "PyAV has no libx264", "install PyAV's own wheel: pip install --force-reinstall av"
        )


def _data_folder(settings: "Settings") -> Finding:
    import shutil
    import tempfile

    folder = settings.data_dir
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    with tempfile.TemporaryFile(dir=existing):
        free_bytes = shutil.disk_usage(existing).free
    detail = f"{folder}, {free_bytes / 2**30:.1f} GiB free" + ("" if folder.exists() else ", created on first use")
    if free_bytes < FREE_BYTES_MIN:
        return Finding("data folder", "warn", detail, "videos need space; use another folder with --data")
    return Finding("data folder", "ok", detail)


def _permissions(settings: "Settings") -> Finding:
    """Whether other users of this machine can read the data folder of an earlier version, or one made by hand."""
    from framegate.storage.private import exposed
    from framegate.store.engine import sqlite_file

    folder, database = settings.data_dir, sqlite_file(settings.data_dir)
    files = [database, *(database.with_name(f"{database.name}{end}") for end in ("-wal", "-shm")), folder / "lock"]
    open_paths = list(exposed([folder, *files, folder / "blobs"]))
    if not open_paths:
        return Finding("permissions", "ok", "only you can read the data folder")
    names = ", ".join(str(path) for path in open_paths)
    return Finding("permissions", "warn", f"open to other users of this machine: {names}", f"chmod -R go= {folder}")


def _database(settings: "Settings") -> Finding:
    from framegate.cli.db import read_version
    from framegate.store.engine import SCHEMA, SchemaUnknown, known_versions

    version = read_version(settings)
    if version is None:
        return Finding("database", "ok", "none yet, created on first use")
    if version not in known_versions():
        return Finding("database", "fail", SchemaUnknown(version).message)
    upgrade = "" if version == SCHEMA else f", upgraded to {SCHEMA} on next use"
    return Finding("database", "ok", f"schema {version}{upgrade}")


def _owner(settings: "Settings") -> Finding:
    from framegate.domain.errors import DataFolderBusy
    from framegate.store.folder_lock import FolderLock, read_owner

    if not settings.data_dir.is_dir():
        return Finding("owner", "ok", "data folder is not in use")
    lock = FolderLock(settings.data_dir)
    try:
        lock.acquire()
    except DataFolderBusy:
        owner = read_owner(settings.data_dir)
        serving = f", serving {owner['url']}" if owner.get("url") else ""
        return Finding("owner", "ok", f"process {owner.get('pid', 'unknown')} uses the data folder{serving}")
    except OSError as error:
        return Finding("owner", "fail", f"cannot lock the data folder: {error.strerror}")
    lock.release()
    return Finding("owner", "ok", "data folder is not in use")


def _key(settings: "Settings") -> Finding:
    from framegate.cli.keys import needs_key
    from framegate.config.settings import is_loopback

    if needs_key(settings):
        return Finding("key", "ok", "set" if settings.api_key else "created by `framegate keys`")
    if is_loopback(settings.host):
        return Finding("key", "ok", "none: loopback only, no authentication")
    return Finding("key", "fail", f"none, but `host` is {settings.host}", "create one: framegate keys create")


def _models(settings: "Settings") -> Finding:
    from framegate.app.parts import known_models

    models = len(known_models(settings).models)
    custom = f", with your entries in {settings.catalogue_dir}" if settings.catalogue_dir else ""
    return Finding("models", "ok", f"{models} in the catalogue{custom}")


def _accounts(settings: "Settings", *, ask: bool) -> Iterator[Finding]:
    """The accounts, and the responses of their services if they are contacted. No key is shown."""
    if not settings.accounts:
        yield Finding("account", "ok", "none: only framegate/animatic makes videos")
    results = _probe(settings) if ask else [None] * len(settings.accounts)
    for account, result in zip(settings.accounts, results, strict=True):
        yield _account(account, result, has_public_url=settings.public_url is not None)
    yield from _redirected(settings)


def _redirected(settings: "Settings") -> Iterator[Finding]:
    """Vendors' names that resolve to this machine or network: orders may come back to this gateway."""
    from framegate.cli.doctor_probe import redirected_accounts

    for label, host in redirected_accounts(settings):
        detail = f"{label}: {host} resolves to an address of this machine or network, so orders may come back here"
        hint = "the gateway must resolve vendors past the hosts file: docs/guides/vendor-hostnames.md"
        yield Finding("account", "warn", detail, hint, "vendor_redirected")


def _probe(settings: "Settings") -> "Sequence[ProbeResult]":
    from framegate import catalogue
    from framegate.app.parts import known_models
    from framegate.cli import doctor_probe
    from framegate.cli.keys import known_gateway_id

    try:
        models = known_models(settings)
    except FramegateError:  # reported by another check
        models = catalogue.builtin()
    try:
        own_id = known_gateway_id(settings)
    except (FramegateError, OSError):  # reported by another check
        own_id = ""
    return doctor_probe.probe_accounts(settings, models, gateway_id=own_id)


def _account(account: "Account", result: "ProbeResult | None", *, has_public_url: bool) -> Finding:
    from framegate.cli.doctor_probe import NOT_OFFERED, OK
    from framegate.config.settings import SettingsInvalid
    from framegate.providers.registry import adapter_class, only_accepts_urls

    try:
        adapter = adapter_class(account.provider)
    except SettingsInvalid as error:
        return Finding("account", "fail", f"{account.label}: {error.message}", code=error.code if result else "")
    label = f"{account.label} at {account.base_url or adapter.base_url}"
    code, details = (result.code, [result.detail]) if result else ("", [])
    if result and code != OK:
        mark = "warn" if code == NOT_OFFERED else "fail"
        return Finding("account", mark, f"{label}: {result.detail}", result.hint, code)
    if only_accepts_urls(adapter) and not has_public_url:
        hint = "set public_url, so that it can download local and changed pictures"
        details = [*details, "accepts references only as https URLs"]
        return Finding("account", "warn", f"{label}: {'; '.join(details)}", hint, code)
    return Finding("account", "ok", ": ".join([label, *details]), code=code)


def _server(url: str) -> Finding:
    from framegate.client import Framegate

    try:
        with Framegate(url) as client:
            models = client.models.list()
            next(client.videos.list(limit=1), None)
    except FramegateError as error:
        return Finding("server", "fail", error.message)
    return Finding("server", "ok", f"{url} responds, {len(models)} models")
