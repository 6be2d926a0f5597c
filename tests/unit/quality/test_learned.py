"""Learned checks, with tiny models of random weights: they test the integration, not the recognition."""

import json
import socket
from pathlib import Path

import pytest

from framegate.media.quality import Finding, ReferenceImage, learned
from framegate.media.quality.verification import verify_file
from support.clips import pan, write_clip


@pytest.fixture(scope="module")
def dinov2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("dinov2"), "dinov2")


def make_model(folder: Path, kind: str) -> Path:
    """Save a tiny model with random weights in the format of transformers."""
    reason = "requires torch and transformers, the extra `learned`: pip install framegate[learned]"
    torch = pytest.importorskip("torch", reason=reason)
    transformers = pytest.importorskip("transformers", reason=reason)
    torch.manual_seed(1)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    if kind == "clip":
        vision = {**sizes, "image_size": 32, "patch_size": 8}
        text = {**sizes, "vocab_size": 100, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
        config = transformers.CLIPConfig(vision_config=vision, text_config=text, projection_dim=16)
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


def learned_findings_of(path: Path, photo: Path, folder: Path | None) -> list[Finding]:
    report = verify_file(path, references=[ReferenceImage(path=photo, name="hero")], model_dir=folder).report
    return [finding for finding in report.findings if finding.name == "learned"]


@pytest.mark.parametrize("kind", ["dinov2", "clip"])
def test_a_model_in_a_local_folder_checks_the_references_without_network_access(
    tmp_path: Path, photos: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch, kind: str
):
    folder = make_model(tmp_path / "model", kind)

    def refuse(*_: object) -> None:
        raise AssertionError("the learned checks used the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    (finding,) = learned_findings_of(write_clip(tmp_path / "a.mp4", pan(photos[0])), photos[0], folder)

    assert finding.value.keys() == {"reference", "name", "model", "cosine", "decoy_cosine", "frame"}
    assert finding.value["model"] == kind
    assert -1 <= finding.value["cosine"] <= 1
    assert finding.group == "fidelity"
    assert finding.verdict in ("pass", "unverifiable")
    assert "@hero" in finding.sentence


def test_embeddings_are_equal_for_the_same_image_and_differ_for_another(dinov2: Path, photos: tuple[Path, ...]):
    loaded = learned.load_model(dinov2)
    frames = [pan(photo, frames=1)[0] for photo in (photos[0], photos[0], photos[1])]

    vectors = loaded.embed(frames)

    assert vectors[0] @ vectors[1] == pytest.approx(1, abs=1e-5)
    assert vectors[0] @ vectors[2] < 0.9999
    assert learned.load_model(dinov2) is loaded


def test_without_a_folder_there_is_no_finding(tmp_path: Path, photos: tuple[Path, ...]):
    assert learned_findings_of(write_clip(tmp_path / "a.mp4", pan(photos[0])), photos[0], None) == []


def test_a_folder_without_a_model_results_in_an_unverifiable_finding(tmp_path: Path, photos: tuple[Path, ...]):
    (finding,) = learned_findings_of(write_clip(tmp_path / "a.mp4", pan(photos[0])), photos[0], tmp_path / "none")

    assert finding.verdict == "unverifiable"
    assert f"no config.json in {tmp_path / 'none'}" in finding.sentence


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("config.json", '{"model_type": "bert"}', "type bert"),
        ("config.json", "{", "cannot load it"),
        ("preprocessor_config.json", "{", "cannot load it"),
        ("model.safetensors", "no weights", "cannot load it"),
    ],
)
def test_the_error_says_what_is_wrong_with_the_model_folder(
    tmp_path: Path, photos: tuple[Path, ...], name: str, text: str, reason: str
):
    folder = make_model(tmp_path / "model", "dinov2")
    (folder / name).write_text(text, encoding="utf-8")

    with pytest.raises(learned.ModelUnusable, match=reason):
        learned.load_model(folder)


def test_missing_weights_are_an_error_and_not_filled_with_random_ones(tmp_path: Path):
    folder = make_model(tmp_path / "model", "dinov2")
    safetensors = pytest.importorskip("safetensors.torch")
    weights = safetensors.load_file(folder / "model.safetensors")
    weights.pop("layernorm.weight")
    safetensors.save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(learned.ModelUnusable, match=r"lack layernorm\.weight"):
        learned.load_model(folder)
