"""Phaseo's list of models overlays the catalogue; unreadable parts change nothing."""

import json
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from framegate.catalogue import builtin
from framegate.catalogue.listing import Listing, apply_listings
from framegate.config.accounts import Account
from framegate.domain import Request
from framegate.domain.errors import ProviderError
from framegate.domain.machine import Machine
from framegate.jobs.background.catalogue_refresh import CatalogueRefresher
from framegate.jobs.routing import Router
from framegate.providers.phaseo.model_list import record, records
from framegate.providers.registry import ProviderRegistry, build_provider
from support.replaying import Tape, replaying
from support.served_gateway import served_here

SECONDS_MAX = 30
VEO = "google/veo-3.1"
SIZE = {"supported": True, "type": "enum", "values": ["720p", "1080p", "4k"], "aliases": ["resolution"]}
DURATION = {"supported": True, "type": "number", "values": [4, 6, 8], "aliases": ["duration_seconds"]}
SOUND = {"supported": True, "type": "boolean"}


def described(details: dict[str, Any]) -> dict[str, Any]:
    return {
        "supported_params": sorted(details),
        "supported_parameters": sorted(details),
        "supported_params_detail": details,
        "supported_parameters_detail": details,
    }


def listed_model(
    model: str = "google/veo-3.1-preview", *, of_model: dict[str, Any] | None = None, **providers: dict[str, Any]
):
    """A model as Phaseo lists it: the details of the model, and of each upstream provider."""
    return {
        "model": model,
        "name": "Veo 3.1",
        "status": "active",
        "input_types": ["text", "image"],
        "output_types": ["video"],
        **described(of_model or {}),
        "providers": [{"id": name.replace("_", "-"), **described(details)} for name, details in providers.items()],
        "pricing": {"pricing_plan": "standard", "meters": {"input_tokens": None, "output_image": None}},
    }


def test_a_listed_model_becomes_a_record_of_certain_facts():
    listed = listed_model(
        google_vertex={"size": SIZE, "duration": DURATION, "generate_audio": SOUND, "seed": {"supported": True}},
        of_model={"size": {**SIZE, "values": ["nothing"]}, "aspect_ratio": {"supported": True, "values": ["16:9"]}},
    )
    assert record(listed) == {
        "id": "google/veo-3.1-preview",
        "supported_durations": [4, 6, 8],
        "supported_resolutions": ["720p", "1080p", "4k"],
        "supported_aspect_ratios": ["16:9"],
        "seed": True,
        "generate_audio": True,
    }


@pytest.mark.parametrize(("status", "paused"), [("active", False), (None, False), ("paused", True), ("disabled", True)])
def test_a_model_with_another_status_than_active_is_paused(status: str | None, paused: bool):
    assert record({**listed_model(), "status": status}).get("paused", False) is paused


def test_a_paused_model_has_no_open_offer():
    rows = [listed_model(offer.id) for model in builtin() for offer in model.offers if offer.provider == "phaseo"]
    for entry in rows:
        entry["status"] = "paused" if entry["model"] == "google/veo-3.1-preview" else "active"
    listed = {entry["id"]: entry for entry in map(record, rows)}
    book = apply_listings(builtin(), [Listing(provider="phaseo", url="https://x.test", read="2026-11", records=listed)])
    model = book.get(VEO)
    assert model is not None
    retired = {offer.provider: offer.ended for offer in model.offers}
    assert retired["phaseo"] is not None
    assert retired["phaseo"].paused
    assert retired["openrouter"] is None


def test_values_of_all_upstream_providers_are_combined_and_unknown_if_one_lists_none():
    some, rows = {"duration": DURATION}, {"duration": {**DURATION, "values": [5, 10]}}
    assert record(listed_model(entry=some, two=rows, three=some))["supported_durations"] == [4, 6, 8, 5, 10]
    assert "supported_durations" not in record(
        listed_model(entry=some, two={"duration": {"supported": True, "type": "number"}})
    )


@pytest.mark.parametrize("name", ["resolution", "size"])
def test_a_parameter_is_found_by_its_name_or_by_an_alias(name: str):
    detail = {"supported": True, "values": ["720p"], "aliases": ["size" if name == "resolution" else "resolution"]}
    assert record(listed_model(entry={name: detail}))["supported_resolutions"] == ["720p"]


def test_a_switch_is_off_only_if_every_upstream_provider_says_so():
    assert record(listed_model(entry={"seed": {"supported": False}}))["seed"] is False
    assert record(listed_model(entry={"seed": {"supported": False}}, two={"seed": {"supported": True}}))["seed"] is True
    assert "seed" not in record(listed_model(entry={}))


UNREADABLE: list[Any] = [
    {"duration": {"supported": True, "values": ["auto", "4"]}},
    {"duration": {"supported": True, "values": [4.5, 8]}},
    {"duration": {"supported": True, "values": [True]}},
    {"duration": {"supported": True, "values": {"min": 4}}},
    {"duration": {"supported": True, "range": {"min": 4, "max": 8}}},
    {"duration": {"values": [60]}},
    {"size": {**SIZE, "values": ["1280x720"]}},
    {"size": {**SIZE, "values": ["720p", {}]}},
    {"size": {**SIZE, "aliases": 7}},
    {"aspect_ratio": {"supported": True, "values": ["wide"]}},
    {"duration": 7, "size": None, "seed": []},
    [],
    "params",
]


@pytest.mark.parametrize("details", UNREADABLE, ids=repr)
def test_unreadable_details_change_nothing(details: Any):
    broken = deepcopy(listed_model())
    broken["providers"] = [{"id": "one", "supported_params_detail": details}, 7, None]
    records_by_id = {"google/veo-3.1-preview": record(broken)}
    book = apply_listings(
        builtin(), [Listing(provider="phaseo", url="u", read="2026-11", records=records_by_id, is_complete=False)]
    )
    new, old = book.get(VEO), builtin().get(VEO)
    assert new is not None
    assert old is not None
    assert (new.limits, new.offers) == (old.limits, old.offers)


@pytest.mark.parametrize("data", [None, {"a": 1}, "models"])
def test_anything_but_a_list_is_left_for_the_catalogue_to_reject(data: object):
    assert records(data) == data


# -- over HTTP


OFFERED = {model.id: offer.id for model in builtin() if (offer := model.offer("phaseo"))}


def answer(*without: str, status: int = 200, **details: Any) -> dict[str, Any]:
    """Phaseo's response with every model of the catalogue except some."""
    rows = [listed_model(name, google_ai_studio=details) for name in OFFERED.values() if name not in without]
    return {"status": status, "headers": {"content-type": "application/json"}, "body": {"object": "list", "data": rows}}


def codes(router: Router, **fields: Any) -> list[str]:
    verdict = router.candidates(Request(model=VEO, prompt="a cat", **fields)).verdict
    return [problem.code for problem in verdict.problems]


async def after(folder: Path, *answers: dict[str, Any]) -> Router:
    """The router after the list was read once per response."""
    with replaying(Tape(list(answers))) as server_url:
        account = build_provider(Account(provider="phaseo", api_key="k", base_url=f"{server_url}/v1"))
        offers = ProviderRegistry([account])
        router = Router(builtin(), offers)
        refresher = CatalogueRefresher(router, offers, folder, machine=Machine())
        for _ in answers:
            await refresher.refresh()
        await account.close()
    return router


def test_a_model_missing_from_an_otherwise_complete_list_is_retired(tmp_path: Path):
    router = anyio.run(after, tmp_path, answer("google/veo-3.1-preview"))
    assert codes(router) == ["model_ended"]
    assert not router.candidates(Request(model="google/veo-3.1-fast", prompt="a cat")).select()[0].problems


def test_a_returning_model_is_available_with_the_listed_durations(tmp_path: Path):
    listed = answer(duration={**DURATION, "values": [8, 10]})
    router = anyio.run(after, tmp_path, answer("google/veo-3.1-preview"), listed)
    assert codes(router, duration=10) == []
    assert codes(router, duration=4) == ["duration_unsupported"]


@pytest.mark.parametrize(
    "empty",
    [
        answer(*OFFERED.values()),
        answer(*list(OFFERED.values())[:3]),
        {**answer(), "body": {"error": "not_implemented_yet"}, "status": 501},
        {**answer(), "body": {"object": "list"}},
    ],
    ids=["empty", "few", "switched off", "no list"],
)
def test_a_list_that_is_mostly_empty_or_unavailable_changes_nothing(empty: dict[str, Any], tmp_path: Path):
    router = anyio.run(after, tmp_path, empty)
    assert codes(router, duration=4) == []
    assert router.catalogue.get(VEO) is builtin().get(VEO)


def test_a_rejected_list_request_names_the_service_and_the_reason():
    refusal = {**answer(status=501), "body": {"error": "not_implemented_yet", "reason": "video_api_feature_disabled"}}

    async def fields() -> None:
        with replaying(Tape([refusal])) as server_url:
            account = build_provider(Account(provider="phaseo", api_key="k", base_url=f"{server_url}/v1"))
            try:
                await account.models()
            finally:
                await account.close()

    with pytest.raises(ProviderError, match="Phaseo returned 501: not_implemented_yet: video_api_feature_disabled"):
        anyio.run(fields)


def test_the_list_of_another_gateways_phaseo_api_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with served_here(tmp_path / "theirs", key="sk-theirs", sandbox=True) as theirs:
        listed = httpx2.get(
            f"{theirs.url}/phaseo/v1/videos/models", headers={"authorization": "Bearer sk-theirs"}
        ).json()
        names = [entry["model"] for entry in listed["data"]]
        assert set(OFFERED) | set(OFFERED.values()) <= set(names)
        assert len(names) == len(set(names))
        account = {"provider": "phaseo", "api_key": "sk-theirs", "base_url": f"{theirs.url}/phaseo/v1"}
        with served_here(tmp_path / "ours", key="sk-ours", accounts=[account]):
            file = tmp_path / "ours" / "catalogue" / "phaseo-default.json"
            end = time.monotonic() + SECONDS_MAX
            while not file.exists() and time.monotonic() < end:
                time.sleep(0.05)
            read = {entry["id"]: entry for entry in json.loads(file.read_text("utf-8"))["data"]}
            assert read["google/veo-3.1-preview"]["supported_durations"] == [4, 6, 8]
            assert read["google/veo-3.1-preview"]["supported_resolutions"] == ["720p", "1080p", "4K"]
    assert "Model list" not in caplog.text
