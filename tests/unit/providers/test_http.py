"""The parts that the adapters share."""

import logging
from pathlib import Path
from typing import Any

import anyio
import pytest

from framegate.config.accounts import Account
from framegate.domain import Lost, Running
from framegate.domain.errors import ProviderError, Refused
from framegate.domain.money import COST_NOT_BELIEVED, reported_cost
from framegate.providers.base import Provider
from framegate.providers.http import HttpProvider
from framegate.providers.openrouter import OpenRouter
from framegate.providers.references import ReferenceTransport, address
from framegate.providers.registry import ADAPTERS, build_provider
from support.ordering import make_order

NO_COST = (None, "", True, {}, [])
IMPOSSIBLE_COSTS = (
    "free", -1, "NaN", "Infinity", float("nan"), float("inf"), "1e400", "1e1000000", "9" * 6000, 10**400, -0.01, 10_001,
)  # fmt: skip


def address_of(folder: Path, *transports: ReferenceTransport, **reference: Any) -> str:
    return anyio.run(address, make_order(folder, prompt="a", references=[reference]).references[0], transports)


def test_a_references_own_url_is_preferred(tmp_path: Path):
    link = {"signed_url": "https://gate.test/l"}
    assert address_of(tmp_path, "url", "link", url="https://a.test/b.png", **link) == "https://a.test/b.png"


def test_a_changed_reference_never_uses_its_own_url(tmp_path: Path):
    fitted = {"url": "https://a.test/b.png", "fitted": True}
    assert (
        address_of(tmp_path, "url", "link", "data", **fitted, signed_url="https://gate.test/l") == "https://gate.test/l"
    )
    assert address_of(tmp_path, "url", "link", "data", **fitted).startswith("data:image/png;base64,")


@pytest.mark.parametrize("url", ["http://a.test/b.png", "asset://0", "data:image/png;base64,AAAA"])
def test_a_url_that_only_the_gateway_can_read_is_not_sent(url: str, tmp_path: Path):
    assert address_of(tmp_path, "url", "data", url=url).startswith("data:image/png;base64,")
    with pytest.raises(Refused, match="public_url"):
        address_of(tmp_path, "url", "link", url=url)


@pytest.mark.parametrize(
    ("usd", "expected"),
    [
        *[(0.25, 250_000), ("0.000001", 1), (3, 3_000_000), (0, 0)],
        *[(value, None) for value in NO_COST],
        *[(value, COST_NOT_BELIEVED) for value in IMPOSSIBLE_COSTS],
    ],
)
def test_a_cost_is_read_in_millionths_or_not_at_all(usd: object, expected: int | None):
    assert reported_cost(usd) == expected


def provider_of(name: str, /, **fields: Any) -> Provider:
    return build_provider(Account(provider=name, api_key="k", **fields))


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_an_account_sets_the_name_the_limits_and_the_base_url(name: str):
    provider = provider_of(name, name="studio", concurrency=3, requests_per_minute=7, base_url="https://there.test/x")
    assert (provider.name, provider.account) == (name, "studio")
    assert (provider.concurrency, provider.requests_per_minute) == (3, 7)
    assert isinstance(provider, HttpProvider)
    assert provider.client.base_url.startswith("https://there.test/x")


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_an_account_without_a_base_url_uses_the_services_own(name: str):
    provider = provider_of(name)
    assert isinstance(provider, HttpProvider)
    assert provider.client.base_url == ADAPTERS[name].base_url


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_only_gpu_servers_get_lost_orders_again(name: str):
    assert provider_of(name).resubmittable is (name in ("vllm_omni", "sglang"))


def test_a_new_job_that_is_not_found_yet_is_not_lost():
    provider = OpenRouter("a", "k")
    with pytest.raises(ProviderError, match="yet"):
        provider.not_found(provider.handle_of("x"))
    assert isinstance(provider.not_found({"id": "x", "at": 0.0}), Lost)


def test_an_unknown_status_counts_as_running_and_is_logged_once(caplog: pytest.LogCaptureFixture):
    provider = OpenRouter("a", "k")
    with caplog.at_level(logging.WARNING):
        assert [provider.running("simmering", 50).progress for _ in range(3)] == [0.5] * 3
    assert [record.message for record in caplog.records] == [
        "openrouter: unknown job status 'simmering', treated as running."
    ]


@pytest.mark.parametrize("progress", [None, "50", -1, 101, True, float("nan")])
def test_an_invalid_progress_is_ignored(progress: object):
    assert OpenRouter("a", "k").running("in_progress", progress) == Running(stage="running")


def test_metadata_contains_no_key_no_operator_ids_and_no_urls():
    provider = OpenRouter("a", "sk-of-the-operator")
    answer = {
        "id": "gen-1",
        "prompt": "a cat",
        "usage": {"cost": 0.5, "user_id": "u-1", "note": "billed to sk-of-the-operator"},
        "workspace_id": "w-1",
        "urls": ["https://files.test/a.mp4?signature=x", "data:video/mp4;base64,AA"],
        "file_path": "/srv/outputs/a.mp4",
        "seed": 7,
        "nothing": None,
    }
    assert provider.public_metadata(answer) == {
        "id": "gen-1",
        "usage": {"cost": 0.5, "note": "billed to [key]"},
        "seed": 7,
    }
    assert provider.public_metadata({"id": "x", "log": "y" * 10_000}) == {}
    assert provider.public_metadata(["no object"]) == {}
