"""Whatever a service answers, an adapter raises nothing but an error of a provider, and tells no key."""

import dataclasses
import json
import logging
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from framegate.config.accounts import Account
from framegate.domain.errors import FramegateError
from framegate.domain.provider_text import register_secret
from framegate.providers.http import HttpProvider
from framegate.providers.registry import ADAPTERS, build_provider
from framegate.store.serialization import storable_changes
from support.hostile_provider import KEYS, HostileMachine, HostileNetwork
from support.ordering import make_order
from support.soak import amount

SEEDS = amount(6, 300)
CALLS = 25
MODELS = {
    "fal": "fal-ai/veo3.1/reference-to-video",
    "vllm_omni": "Wan-AI/Wan2.1-VACE-14B-diffusers",
    "sglang": "Wan-AI/Wan2.2-I2V-A14B-Diffusers",
}


@pytest.fixture(autouse=True)
def all_accounts() -> None:
    """The keys of all accounts are known, as in a gateway."""
    for key in KEYS.values():
        register_secret(key)


@pytest.mark.soak
@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_hostile_answers_become_updates_or_errors_of_a_provider(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    references = [{"role": "first_frame" if name == "sglang" else "reference"}]
    order = make_order(tmp_path, prompt="a cat", model_id=MODELS.get(name, "m"), references=references)
    for seed in range(SEEDS):
        network = HostileNetwork(seed, share=0.4)
        machine = HostileMachine(network)
        with caplog.at_level(logging.INFO):
            told = machine.run(_calls(name, machine, order))
        text = "\n".join([*told, caplog.text])
        caplog.clear()
        assert not [key for key in KEYS.values() if key in text], f"seed {seed}"
        assert "Traceback" not in text, f"seed {seed}: {text}"


async def _calls(name: str, machine: HostileMachine, order: Any) -> list[str]:
    adapter = build_provider(
        Account(provider=name, api_key=KEYS[name], base_url=f"https://{name}.test"), machine=machine
    )
    assert isinstance(adapter, HttpProvider)
    told: list[str] = []
    handle: Any = {"id": "first", "at": 0.0, "app": "fal-ai/veo3.1"}
    for _ in range(CALLS):
        calls = (
            partial(adapter.submit, order),
            partial(adapter.reconcile, order),
            adapter.models,
            adapter.probe,
            partial(adapter.cancel, handle),
            *[partial(adapter.poll, handle)] * 5,
        )
        try:
            answer: Any = await machine.network.random.choice(calls)()
        except FramegateError as error:
            told.append(error.message)
            continue
        if isinstance(answer, dict) and "id" in answer:
            handle = {**handle, **answer, "at": 0.0}
        elif dataclasses.is_dataclass(answer) and not isinstance(answer, type):
            shown = {name: value for name, value in vars_of(answer).items() if name != "outputs"}
            told.append(json.dumps(storable_changes(shown), default=str, allow_nan=False))
    await adapter.close()
    return told


def vars_of(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
