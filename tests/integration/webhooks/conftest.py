"""Webhook deliveries on a virtual machine."""

from pathlib import Path

import pytest

from support.virtual_machine import VirtualMachine
from support.webhook_world import WebhookWorld


@pytest.fixture
def anyio_backend(machine: VirtualMachine):
    return "asyncio", {"loop_factory": machine.new_event_loop}


@pytest.fixture
def world(machine: VirtualMachine, tmp_path: Path) -> WebhookWorld:
    return WebhookWorld(machine, tmp_path)
