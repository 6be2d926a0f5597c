"""One gate for nearly all of these tests, and the services that it orders from."""

import io
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image

from needs.asking import Client, client_of, keys_of, ordering
from needs.studio import Studio, studio

sys.path.append(str(Path(__file__).parents[1] / "providers"))  # its servers are as good here
from servers import Engine, VllmOmni, serving

ACCOUNTS = """
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


@pytest.fixture(scope="session")
def service() -> Iterator[Studio]:
    with studio() as one:
        yield one


@pytest.fixture(scope="session")
def gpu() -> Iterator[Engine]:
    with serving(VllmOmni, Engine("Wan-AI/Wan2.1-VACE-1.3B-diffusers")) as engine:
        yield engine


@pytest.fixture(scope="session")
def clients(service: Studio, gpu: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Client]]:
    """A client for each owner of one gate."""
    folder = tmp_path_factory.mktemp("needs")
    keys = keys_of(folder / "data")
    with ExitStack() as stack:
        gate = stack.enter_context(ordering(folder, ACCOUNTS.format(url=service.url, gpu=gpu.url)))
        yield {owner: stack.enter_context(client_of(gate, key)) for owner, key in keys.items()}


@pytest.fixture
def client(clients: dict[str, Client]) -> Client:
    return clients["acme"]


@pytest.fixture(scope="session")
def photo(photos: tuple[Path, ...]) -> bytes:
    return photos[0].read_bytes()


@pytest.fixture
def pixel(client: Client) -> str:
    """A small picture that the gate keeps, as a reference's address."""
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 90, 40)).save(picture, "PNG")
    return client.upload(picture.getvalue())
