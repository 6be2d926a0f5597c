"""One gateway for nearly all of these tests, and the services that it orders from."""

import io
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image

from support.gpu_servers import ServerState, VllmOmni, serving
from support.studio import Studio, studio
from support.studio_client import Client, client_of, keys_of, ordering

ACCOUNTS = """
catalogue_dir = "{models}"

[[accounts]]
provider = "openrouter"
name = "studio"
api_key = "sk-studio"
base_url = "{url}/api/v1"

[[accounts]]
provider = "fal"
api_key = "sk-fal-studio"
base_url = "{url}/fal"

[[accounts]]
provider = "pictory"
api_key = "sk-pictory"
base_url = "{url}/pictory"

[[accounts]]
provider = "vllm_omni"
base_url = "{gpu}"
"""


ROW = """
[[models]]
id = "studio/unheard-of"
name = "Studio: Unheard-of"
description = "A model that nobody but this studio knows."

[models.limits]
durations = [1, 2]
resolutions = ["480p"]
aspect_ratios = ["16:9"]

[models.defaults]
duration = 1
resolution = "480p"
aspect_ratio = "16:9"
audio = false

[[models.sources]]
facts = ["durations", "resolutions", "aspect_ratios", "defaults"]
url = "https://studio.example/unheard-of"
read = "2026-11"

[[models.offers]]
provider = "openrouter"
id = "studio/unheard-of-1"
prices = [{ unit = "second", usd = "0.01" }]

[[models.offers.sources]]
facts = ["prices"]
url = "https://studio.example/unheard-of"
read = "2026-11"
"""


@pytest.fixture(scope="session")
def service() -> Iterator[Studio]:
    with studio() as one:
        yield one


@pytest.fixture(scope="session")
def gpu() -> Iterator[ServerState]:
    with serving(VllmOmni, ServerState("Wan-AI/Wan2.1-VACE-1.3B-diffusers")) as engine:
        yield engine


@pytest.fixture(scope="session")
def clients(
    service: Studio, gpu: ServerState, tmp_path_factory: pytest.TempPathFactory, until_group_ends: ExitStack
) -> dict[str, Client]:
    """A client for each owner of one gateway."""
    folder = tmp_path_factory.mktemp("needs")
    keys = keys_of(folder / "data")
    models = folder / "models"
    models.mkdir()
    (models / "ours.toml").write_text(ROW, encoding="utf-8")
    accounts = ACCOUNTS.format(url=service.url, gpu=gpu.url, models=models)
    gateway = until_group_ends.enter_context(ordering(folder, accounts))
    return {owner: until_group_ends.enter_context(client_of(gateway, key)) for owner, key in keys.items()}


@pytest.fixture
def client(clients: dict[str, Client]) -> Client:
    return clients["acme"]


@pytest.fixture(scope="session")
def photo(photos: tuple[Path, ...]) -> bytes:
    return photos[0].read_bytes()


@pytest.fixture
def pixel(client: Client) -> str:
    """A small picture that the gateway keeps, as a reference's address."""
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 90, 40)).save(picture, "PNG")
    return client.upload(picture.getvalue())
