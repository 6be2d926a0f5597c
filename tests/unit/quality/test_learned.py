"""The learned tier: with tiny models of random weights, which prove the way and know nothing."""

import json
import socket
from pathlib import Path

import pytest

from framegate.media.quality import Finding, ReferencePicture, learned, verify
from support.clips import pan, write


@pytest.fixture(scope="module")
def dinov2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model(tmp_path_factory.mktemp("dinov2"), "dinov2")


def model(folder: Path, kind: str) -> Path:
    """A folder as transformers saves it: some thousand random weights."""
    reason = "waits for torch and transformers, the extra `learned`: pip install framegate[learned]"
    torch = pytest.importorskip("torch", reason=reason)
    transformers = pytest.importorskip("transformers", reason=reason)
    torch.manual_seed(1)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    if kind == "clip":
        vision = {**sizes, "image_size": 32, "patch_size": 8}
        words = {**sizes, "vocab_size": 100, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
        config = transformers.CLIPConfig(vision_config=vision, text_config=words, projection_dim=16)
        network, side = transformers.CLIPModel(config), 32
    else:
        config = transformers.Dinov2Config(**sizes, image_size=28, patch_size=7)
        network, side = transformers.Dinov2Model(config), 28
    network.save_pretrained(folder)
    processor = {
        "image_processor_type": "CLIPImageProcessor" if kind == "clip" else "BitImageProcessor",
        "size": {"shortest_edge": side},
        "crop_size": {"height": side, "width": side},
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor), encoding="utf-8")
    return folder


def said(path: Path, photo: Path, folder: Path | None) -> list[Finding]:
    report = verify(path, references=[ReferencePicture(path=photo, name="hero")], model_dir=folder).report
    return [finding for finding in report.findings if finding.name == "learned"]


@pytest.mark.parametrize("kind", ["dinov2", "clip"])
def test_a_model_in_a_local_folder_looks_at_the_references_with_the_network_shut(
    tmp_path: Path, photos: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch, kind: str
):
    folder = model(tmp_path / "model", kind)

    def refused(*_: object) -> None:
        raise AssertionError("the learned tier went out to the network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)

    (finding,) = said(write(tmp_path / "a.mp4", pan(photos[0])), photos[0], folder)

    assert finding.value.keys() == {"reference", "name", "model", "cosine", "decoy_cosine", "frame"}
    assert finding.value["model"] == kind
    assert -1 <= finding.value["cosine"] <= 1
    assert finding.group == "fidelity"
    assert finding.verdict in ("pass", "unverifiable")
    assert "@hero" in finding.sentence


def test_the_same_picture_has_the_same_vector_and_another_has_another(dinov2: Path, photos: tuple[Path, ...]):
    loaded = learned.load(dinov2)
    frames = [pan(photo, frames=1)[0] for photo in (photos[0], photos[0], photos[1])]

    vectors = loaded.vectors(frames)

    assert vectors[0] @ vectors[1] == pytest.approx(1, abs=1e-5)
    assert vectors[0] @ vectors[2] < 0.9999
    assert learned.load(dinov2) is loaded


def test_without_a_folder_nothing_is_loaded_and_nothing_said(tmp_path: Path, photos: tuple[Path, ...]):
    assert said(write(tmp_path / "a.mp4", pan(photos[0])), photos[0], None) == []


def test_a_folder_that_cannot_be_used_is_said_and_spoils_nothing(tmp_path: Path, photos: tuple[Path, ...]):
    (finding,) = said(write(tmp_path / "a.mp4", pan(photos[0])), photos[0], tmp_path / "none")

    assert finding.verdict == "unverifiable"
    assert f"no config.json in {tmp_path / 'none'}" in finding.sentence


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("config.json", '{"model_type": "bert"}', "type bert"),
        ("config.json", "{", "cannot load it"),
        ("preprocessor_config.json", "{", "cannot load it"),
        ("model.safetensors", "no weights", "cannot load it"),
    ],
)
def test_a_broken_folder_says_what_is_wrong_with_it(
    tmp_path: Path, photos: tuple[Path, ...], name: str, text: str, why: str
):
    folder = model(tmp_path / "model", "dinov2")
    (folder / name).write_text(text, encoding="utf-8")

    with pytest.raises(learned.ModelUnusable, match=why):
        learned.load(folder)


def test_weights_that_are_not_all_there_are_not_filled_up_with_random_ones(tmp_path: Path):
    folder = model(tmp_path / "model", "dinov2")
    stored = pytest.importorskip("safetensors.torch")
    weights = stored.load_file(folder / "model.safetensors")
    weights.pop("layernorm.weight")
    stored.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(learned.ModelUnusable, match=r"lack layernorm\.weight"):
        learned.load(folder)
