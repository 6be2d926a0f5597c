"""Providers that other packages add by an entry point."""

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from framegate.catalogue import builtin
from framegate.cli import doctor_probe
from framegate.cli.doctor import _account
from framegate.config.accounts import Account
from framegate.config.loading import load
from framegate.config.settings import Settings, SettingsInvalid
from framegate.domain.machine import Machine
from framegate.providers.pictory import Pictory
from framegate.providers.registry import ADAPTERS, build_provider, build_providers

MODULE = "framegate_toy_of_a_test"
TOY = """
    from framegate.providers.http import HttpProvider

    class Toy(HttpProvider):
        name = "{name}"
        title = "Toy"
        base_url = "https://toy.example"

        async def submit(self, order): ...

        async def poll(self, handle): ...

        async def probe(self):
            return "it responds"
"""
NEEDS_A_KEY = """
    from framegate.providers.base import Provider

    class Toy(Provider):
        name = "toy"

        def __init__(self, account, api_key, base_url, *, machine):
            if not api_key:
                raise ValueError("Toy needs a key")

        async def submit(self, order): ...

        async def poll(self, handle): ...
"""
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package with one provider for the duration of a test."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)

    def add(source: str = TOY, *, name: str = "toy", attribute: str = "Toy") -> None:
        (folder / f"{MODULE}.py").write_text(dedent(source.replace("{name}", name)), encoding="utf-8")
        info = folder / f"{MODULE}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {MODULE}\nVersion: 1\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[framegate.providers]\n{name} = {MODULE}:{attribute}\n", "utf-8")

    yield add
    sys.modules.pop(MODULE, None)


def test_an_account_in_framegate_toml_can_name_an_installed_provider(install: Install, tmp_path: Path):
    install()
    file = tmp_path / "framegate.toml"
    file.write_text('[[accounts]]\nprovider = "toy"\nname = "studio"\nconcurrency = 3\n', encoding="utf-8")

    settings = load({}, file=file)
    [provider] = build_providers(settings, Machine())

    assert (provider.name, provider.account, provider.concurrency) == ("toy", "studio", 3)
    assert provider.base_url == "https://toy.example"


def test_an_account_can_set_another_base_url(install: Install):
    install()

    assert build_provider(Account(provider="toy", base_url="http://10.0.0.5:80/v1")).base_url == "http://10.0.0.5:80/v1"


def test_a_package_is_not_imported_unless_an_account_names_its_provider(install: Install, tmp_path: Path):
    install("raise SystemExit")

    settings = load({"FRAMEGATE_DATA_DIR": str(tmp_path), "FAL_KEY": "k"})
    [provider] = build_providers(settings, Machine())

    assert provider.name == "fal"
    assert MODULE not in sys.modules


BROKEN = {
    "a failed import": ("import no_such_module", "Toy", "the import failed with ModuleNotFoundError"),
    "a syntax error": ("class Toy(", "Toy", "the import failed with SyntaxError"),
    "no such attribute": (TOY, "Tpy", "the import failed with AttributeError"),
    "not a class": ("Toy = 1", "Toy", "it is not a subclass of"),
    "another class": ("class Toy: name = 'toy'", "Toy", "it is not a subclass of"),
    "another name": (TOY.replace("{name}", "other"), "Toy", "its `name` must be `toy`"),
    "missing methods": (TOY.replace("submit", "place"), "Toy", "the constructor failed with TypeError"),
    "a missing key": (NEEDS_A_KEY, "Toy", "the constructor failed with ValueError('Toy needs a key')"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_an_adapter_that_cannot_be_used_is_reported_with_its_name_and_the_reason(install: Install, fault: str):
    source, attribute, reason = BROKEN[fault]
    install(source, attribute=attribute)

    with pytest.raises(SettingsInvalid) as raised:
        build_provider(Account(provider="toy"))

    assert raised.value.message.startswith(f"The adapter `{MODULE}:{attribute}` of the provider `toy` cannot be used: ")
    assert reason in raised.value.message


def test_a_broken_adapter_is_logged_and_the_other_accounts_work(install: Install, caplog: pytest.LogCaptureFixture):
    install("import no_such_module")
    accounts = (Account(provider="toy", name="studio"), Account(provider="fal", api_key="k"))

    with caplog.at_level(logging.ERROR):
        providers = list(build_providers(Settings(accounts=accounts), Machine()))

    assert [provider.name for provider in providers] == ["fal"]
    [record] = caplog.records
    assert record.message.startswith(f"Account toy/studio is not available. The adapter `{MODULE}:Toy`")


def test_doctor_checks_an_installed_provider(install: Install):
    install()
    account = Account(provider="toy", name="studio")

    [result] = doctor_probe.probe_accounts(Settings(accounts=(account,)), builtin())
    finding = _account(account, result, has_public_url=False)

    assert (finding.mark, finding.detail) == ("ok", "toy/studio at https://toy.example: it responds")


@pytest.mark.parametrize("ask", [True, False])
def test_doctor_reports_a_broken_adapter(install: Install, ask: bool):
    install("import no_such_module")
    account = Account(provider="toy", name="studio")

    results = doctor_probe.probe_accounts(Settings(accounts=(account,)), builtin()) if ask else [None]
    finding = _account(account, results[0], has_public_url=False)

    assert (finding.mark, finding.code) == ("fail", "settings_invalid" if ask else "")
    assert finding.detail.startswith(f"toy/studio: The adapter `{MODULE}:Toy` of the provider `toy` cannot be used")


def test_a_package_cannot_replace_a_built_in_provider(install: Install):
    install(name="pictory")

    assert type(build_provider(Account(provider="pictory", api_key="k"))) is Pictory


def test_an_unknown_provider_is_rejected_with_the_names_of_the_installed_ones(install: Install):
    install()

    with pytest.raises(ValueError, match=f"must be one of {', '.join(ADAPTERS)}, toy; there is no provider 'tpy'"):
        Account(provider="tpy")
