"""Learned checks: an optional vision model from a local folder, which can recognize a subject in another pose or style.

DINOv2 or CLIP in the format of the `transformers` library. Off unless a folder is set; nothing is downloaded, no code
from the folder is executed, and weights are read from safetensors only.
"""

import importlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from framegate.media.quality.pixels import Floats, Pixels, floats_of
from framegate.media.quality.references import load_decoys
from framegate.media.quality.report import Finding, ReferenceImage, Verdict
from framegate.media.quality.sampling import Sample

COSINE_MIN, COSINE_MARGIN = 0.5, 0.1
COSINE_SAME = 0.95  # images that are more similar than this are the same, and not decoys of each other
MODEL_TYPES = ("dinov2", "dinov2_with_registers", "clip")
_load_lock = threading.Lock()


class ModelUnusable(ValueError):
    """The model folder cannot be used."""


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded vision model."""

    kind: str
    _torch: Any
    _network: Any
    _processor: Any

    def embed(self, images: Sequence[Pixels]) -> Floats:
        """Compute the embedding of each image, as a unit vector."""
        inputs = self._processor(images=list(images), return_tensors="pt")
        with self._torch.inference_mode():
            if self.kind == "clip":
                output = self._network.get_image_features(pixel_values=inputs["pixel_values"])
                output = getattr(output, "pooler_output", output)
            else:
                output = self._network(pixel_values=inputs["pixel_values"]).pooler_output
        vectors = floats_of(output.float().numpy())
        return vectors / ((vectors * vectors).sum(axis=1, keepdims=True) ** 0.5 + 1e-12)


def load_model(folder: Path) -> Model:
    """Load the model in a folder, or return it from the cache. Raises `ModelUnusable`."""
    with _load_lock:
        return _load_cached(folder)


@lru_cache(maxsize=1)
def _load_cached(folder: Path) -> Model:
    if not (folder / "config.json").is_file():
        raise ModelUnusable(f"there is no config.json in {folder}")
    try:
        torch, transformers, safetensors = map(importlib.import_module, ("torch", "transformers", "safetensors"))
    except ImportError as error:
        raise ModelUnusable("the packages torch and transformers are missing; install framegate[learned]") from error
    transformers.utils.logging.disable_progress_bar()
    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        kind = str(transformers.AutoConfig.from_pretrained(folder, **local).model_type)
        _check_kind(kind)
        processor = transformers.AutoImageProcessor.from_pretrained(folder, **local)
        options = {**local, "use_safetensors": True, "output_loading_info": True}
        network, loading_info = transformers.AutoModel.from_pretrained(folder, **options)
    except (OSError, RuntimeError, KeyError, TypeError, ImportError, safetensors.SafetensorError) as error:
        first_line = str(error).strip().split("\n", 1)[0]
        raise ModelUnusable(f"transformers cannot load it: {first_line}") from error
    if loading_info["missing_keys"]:  # which transformers would fill with random numbers
        raise ModelUnusable(f"its weights lack {min(loading_info['missing_keys'])}")
    return Model(kind, torch, network.eval(), processor)


def _check_kind(kind: str) -> None:
    if kind not in MODEL_TYPES:
        raise ModelUnusable(f"its model type {kind} is not supported; supported are {', '.join(MODEL_TYPES)}")


def learned_findings(
    folder: Path, subjects: Sequence[tuple[ReferenceImage, Pixels]], samples: Sequence[Sample]
) -> Iterator[Finding]:
    """Compare each subject with the frames by their embeddings; one finding for each subject."""
    try:
        model = load_model(folder)
    except ModelUnusable as error:
        sentence = f"The folder of the learned model cannot be used: {error}."
        yield _finding(Verdict.UNVERIFIABLE, None, "", sentence)
        return
    frames = model.embed([sample.pixels for sample in samples])
    references = model.embed([pixels for _, pixels in subjects])
    decoys = model.embed(load_decoys())
    rule = f"a cosine of at least {COSINE_MIN:g}, and {COSINE_MARGIN:g} more than that of any other image"
    for index, (image, _) in enumerate(subjects):
        cosines = frames @ references[index]
        best = int(cosines.argmax())
        foreign = np.concatenate([decoys, np.delete(references, index, axis=0)])
        unlike = foreign[foreign @ references[index] < COSINE_SAME]
        decoy_cosine = float((unlike @ frames[best]).max()) if len(unlike) else None
        cosine = float(cosines[best])
        value = image.as_json() | {
            "model": model.kind,
            "cosine": round(cosine, 4),
            "decoy_cosine": decoy_cosine and round(decoy_cosine, 4),
            "frame": samples[best].number,
        }
        if decoy_cosine is not None and cosine >= COSINE_MIN and cosine >= decoy_cosine + COSINE_MARGIN:
            sentence = f"The learned model recognizes {image.label} in the video, at {samples[best].seconds:.1f} s."
            yield _finding(Verdict.PASS, value, rule, sentence)
        else:
            sentence = f"The learned model cannot distinguish {image.label} in the video from other images."
            yield _finding(Verdict.UNVERIFIABLE, value, rule, sentence)


def _finding(verdict: Verdict, value: dict[str, Any] | None, expected: str, sentence: str) -> Finding:
    return Finding(name="learned", group="fidelity", verdict=verdict, value=value, expected=expected, sentence=sentence)
