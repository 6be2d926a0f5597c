"""Mix of the ambient sound: layers of filtered noise, oscillators and short events at a fixed loudness.

Each block depends only on the seed and the time, so memory does not grow with the duration, and the same layers and
seed always give the same sound.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray

from framegate.animatic.audio.layers import HOP_SAMPLES, LAYERS, SAMPLE_RATE, Samples
from framegate.animatic.prompt.scene import Sound, SoundLayer

LOUDNESS_LUFS = -23.0  # target of EBU R 128, for layers at level 0.5
LEVEL_DEFAULT = 0.5
PEAK_MAX = 10 ** (-2.5 / 20)  # of samples; the true peak may be slightly higher
KNEE = 0.5 * PEAK_MAX  # peaks above it are compressed
FADE_IN_SECONDS, FADE_OUT_SECONDS = 0.3, 0.6
MEASURED_SECONDS_MAX = 12  # the loudness of a longer mix is measured at its start


def mix_layers(layers: Sequence[SoundLayer], samples: int, seed: int) -> Iterator[Samples]:
    """The mix in chunks, exactly this many samples long, with fades; silence if there are no layers."""
    levels: dict[Sound, float] = {}
    for layer in layers:
        levels[layer.sound] = max(layer.level, levels.get(layer.sound, 0.0))
    levels = {sound: level for sound, level in levels.items() if level > 0}
    written = 0
    for chunk in _balance(levels, samples, seed) if levels else silence(samples):
        part = _limit_peaks(chunk[:, : samples - written])
        yield part * _fades(written, part.shape[1], samples)
        written += part.shape[1]
        if written >= samples:
            return


def silence(samples: int) -> Iterator[Samples]:
    """A silent track in chunks."""
    for at in range(0, samples, HOP_SAMPLES):
        yield np.zeros((2, min(HOP_SAMPLES, samples - at)), np.float32)


def measure_loudness(sound: Samples) -> float:
    """Loudness in LUFS by ITU-R BS.1770-4, without its gating."""
    spectrum = np.abs(np.fft.rfft(sound, axis=1)) ** 2
    spectrum[:, 1:-1] *= 2
    mean_squares = (spectrum * _k_weights(sound.shape[1])).sum() / sound.shape[1] ** 2
    return -0.691 + 10 * math.log10(max(float(mean_squares), 1e-12))


def _balance(levels: Mapping[Sound, float], samples: int, seed: int) -> Iterator[Samples]:
    """The layers at their levels and the target loudness, hop by hop without end.

    The start is rendered for the measurement and used again as output.
    """
    measured = min(max(samples, SAMPLE_RATE), MEASURED_SECONDS_MAX * SAMPLE_RATE)
    hops = math.ceil(measured / HOP_SAMPLES)
    weights: dict[Sound, float] = {}
    mix: Samples = np.zeros((2, hops * HOP_SAMPLES), np.float32)
    for sound, level in levels.items():
        layer = np.concatenate(list(islice(_sum_layers({sound: 1.0}, seed), hops)), axis=1)
        weights[sound] = level * 10 ** (-measure_loudness(layer[:, :measured]) / 20)
        mix += layer * weights[sound]
    target_lufs = LOUDNESS_LUFS + 10 * math.log10(max(levels.values()) / LEVEL_DEFAULT)
    gain = 10 ** ((target_lufs - measure_loudness(mix[:, :measured])) / 20)
    for hop in range(hops):
        yield mix[:, hop * HOP_SAMPLES : (hop + 1) * HOP_SAMPLES] * gain
    yield from _sum_layers({sound: gain * weight for sound, weight in weights.items()}, seed, hops)


def _sum_layers(weights: Mapping[Sound, float], seed: int, first: int = 0) -> Iterator[Samples]:
    """The sum of the layers from a hop on."""
    tail = _block(weights, first - 1, seed)[:, HOP_SAMPLES:] if first else np.zeros((2, HOP_SAMPLES), np.float32)
    for hop in count(first):
        block = _block(weights, hop, seed)
        yield tail + block[:, :HOP_SAMPLES]
        tail = block[:, HOP_SAMPLES:]


def _block(weights: Mapping[Sound, float], hop: int, seed: int) -> Samples:
    block: Samples = np.zeros((2, 2 * HOP_SAMPLES), np.float32)
    for sound, weight in weights.items():
        block += weight * LAYERS[sound](hop, np.random.default_rng((seed, *sound.encode(), hop)), seed)
    return block


def _limit_peaks(sound: Samples) -> Samples:
    """Compress peaks above the knee to at most PEAK_MAX; samples below it are unchanged."""
    size = np.abs(sound)
    room = PEAK_MAX - KNEE
    bent = KNEE + room * np.tanh((size - KNEE) / room)
    return np.where(size > KNEE, np.copysign(bent, sound), sound).astype(np.float32)


def _fades(at: int, length: int, samples: int) -> NDArray[np.float32]:
    fade_in = min(FADE_IN_SECONDS * SAMPLE_RATE, samples / 4)
    fade_out = min(FADE_OUT_SECONDS * SAMPLE_RATE, samples / 4)
    place = np.arange(at, at + length)
    share = np.minimum(np.clip(place / fade_in, 0, 1), np.clip((samples - 1 - place) / fade_out, 0, 1))
    return (0.5 - 0.5 * np.cos(np.pi * share)).astype(np.float32)


@lru_cache(maxsize=2)
def _k_weights(samples: int) -> NDArray[np.float64]:
    """Power gain of the two filters of BS.1770 (coefficients for 48 kHz) at each frequency of a spectrum."""
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(samples))
    shelf = (1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585)
    cut = (1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)
    gain = np.ones(len(z))
    for above, below in (shelf, cut):
        gain *= np.abs(np.polyval(above[::-1], z) / np.polyval(below[::-1], z)) ** 2
    return gain
