"""The optional learned tier: a vision model out of a local folder, which may know a subject in another pose or style.

DINOv2 or CLIP, as the `transformers` library saves them. Off unless a folder is named; nothing is ever downloaded, no
code out of the folder is run, and weights are read from safetensors alone.
"""

import importlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from framegate.media.quality.pictures import Floats, Pixels, ReferencePicture, decoys, floats_of
from framegate.media.quality.report import Finding, Verdict
from framegate.media.quality.samples import Sample

COSINE_LEAST, COSINE_MARGIN = 0.5, 0.1
COSINE_SAME = 0.95  # two pictures that are nearer than that are one, and neither is the other's decoy
MODEL_TYPES = ("dinov2", "dinov2_with_registers", "clip")
_loading = threading.Lock()


class ModelUnusable(ValueError):
    """A model folder that cannot be used; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Model:
    """A vision model, ready to look at pictures."""

    kind: str
    _torch: Any
    _network: Any
    _processor: Any

    def vectors(self, pictures: Sequence[Pixels]) -> Floats:
        """One unit vector for each picture: what the model sees in it."""
        inputs = self._processor(images=list(pictures), return_tensors="pt")
        with self._torch.inference_mode():
            if self.kind == "clip":
                found = self._network.get_image_features(pixel_values=inputs["pixel_values"])
                found = getattr(found, "pooler_output", found)
            else:
                found = self._network(pixel_values=inputs["pixel_values"]).pooler_output
        vectors = floats_of(found.float().numpy())
        return vectors / ((vectors * vectors).sum(axis=1, keepdims=True) ** 0.5 + 1e-12)


def load(folder: Path) -> Model:
    """The model in a folder, kept for the next time. Raises `ModelUnusable`."""
    with _loading:
        return _load(folder)


@lru_cache(maxsize=1)
def _load(folder: Path) -> Model:
    if not (folder / "config.json").is_file():
        raise ModelUnusable(f"there is no config.json in {folder}")
    try:
        torch, transformers, safetensors = map(importlib.import_module, ("torch", "transformers", "safetensors"))
    except ImportError as error:
        raise ModelUnusable("it needs the packages torch and transformers: install framegate[learned]") from error
    transformers.utils.logging.disable_progress_bar()
    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        kind = str(transformers.AutoConfig.from_pretrained(folder, **local).model_type)
        _check_kind(kind)
        processor = transformers.AutoImageProcessor.from_pretrained(folder, **local)
        options = {**local, "use_safetensors": True, "output_loading_info": True}
        network, loaded = transformers.AutoModel.from_pretrained(folder, **options)
    except (OSError, RuntimeError, KeyError, TypeError, ImportError, safetensors.SafetensorError) as error:
        first = str(error).strip().split("\n", 1)[0]
        raise ModelUnusable(f"transformers cannot load it: {first}") from error
    if loaded["missing_keys"]:  # which transformers would fill with random numbers
        raise ModelUnusable(f"its weights lack {min(loaded['missing_keys'])}")
    return Model(kind, torch, network.eval(), processor)


def _check_kind(kind: str) -> None:
    if kind not in MODEL_TYPES:
        raise ModelUnusable(f"its model is of the type {kind}; {', '.join(MODEL_TYPES)} are taken")


def findings(
    folder: Path, subjects: Sequence[tuple[ReferencePicture, Pixels]], spread: Sequence[Sample]
) -> Iterator[Finding]:
    """By what a learned model sees, which another pose or style need not change; one finding for each subject."""
    try:
        model = load(folder)
    except ModelUnusable as error:
        sentence = f"The folder of the learned model cannot be used: {error}."
        yield _finding(Verdict.UNVERIFIABLE, None, "", sentence)
        return
    frames = model.vectors([sample.pixels for sample in spread])
    own = model.vectors([pixels for _, pixels in subjects])
    foreign = model.vectors(decoys())
    rule = f"a cosine of at least {COSINE_LEAST:g}, and {COSINE_MARGIN:g} more than that of any other picture"
    for at, (picture, _) in enumerate(subjects):
        cosines = frames @ own[at]
        best = int(cosines.argmax())
        others = np.concatenate([foreign, np.delete(own, at, axis=0)])
        unlike = others[others @ own[at] < COSINE_SAME]
        decoy = float((unlike @ frames[best]).max()) if len(unlike) else None
        cosine = float(cosines[best])
        value = picture.as_json() | {
            "model": model.kind,
            "cosine": round(cosine, 4),
            "decoy_cosine": decoy and round(decoy, 4),
            "frame": spread[best].number,
        }
        if decoy is not None and cosine >= COSINE_LEAST and cosine >= decoy + COSINE_MARGIN:
            sentence = f"The learned model finds {picture.called} in the clip, at {spread[best].seconds:.1f} s."
            yield _finding(Verdict.PASS, value, rule, sentence)
        else:
            sentence = f"The learned model does not tell {picture.called} in the clip from other pictures."
            yield _finding(Verdict.UNVERIFIABLE, value, rule, sentence)


def _finding(verdict: Verdict, value: dict[str, Any] | None, expected: str, sentence: str) -> Finding:
    return Finding(name="learned", group="fidelity", verdict=verdict, value=value, expected=expected, sentence=sentence)
