"""Synthesis of the sound layers, one function for each. The mix sets their loudness.

A layer returns the block that starts at a hop and is two hops long; blocks overlap by half and are added.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import cast

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from framegate.animatic.prompt.scene import Sound

SAMPLE_RATE = 48_000  # Hz
HOP_SAMPLES = 32_768  # samples, 0.68 s
Samples = NDArray[np.float32]  # two rows, left and right
Block = NDArray[np.float64]  # two rows of two hops
Wave = NDArray[np.float64]
Layer = Callable[[int, Generator, int], Block]  # (hop, rng, seed)

_FREQUENCIES = np.fft.rfftfreq(2 * HOP_SAMPLES, 1 / SAMPLE_RATE)
_WINDOW = np.sin(
    np.pi * (np.arange(2 * HOP_SAMPLES) + 0.5) / (2 * HOP_SAMPLES), dtype=np.float32
)  # squares of the overlapping halves add up to 1
_COARSE = np.arange(0, 2 * HOP_SAMPLES + 1, 256)  # points of slow changes
_RISE = 0.5 - 0.5 * np.cos(np.pi * np.arange(48) / 48)  # 1 ms


@cache
def _band(low: float, high: float, tilt_db: float = -3.0) -> NDArray[np.float32]:
    """A spectrum from `low` to `high` Hz with soft edges and this tilt per octave; unit power, no DC."""
    octaves = np.log2(np.maximum(_FREQUENCIES, 1.0) / math.sqrt(low * high))
    shape = 10 ** (tilt_db * octaves / 20)
    shape /= np.sqrt((1 + (low / np.maximum(_FREQUENCIES, 1.0)) ** 6) * (1 + (_FREQUENCIES / high) ** 6))
    shape[_FREQUENCIES < 18] = 0
    return (shape * 2 * HOP_SAMPLES / math.sqrt(2 * float((shape**2).sum()))).astype(np.float32)


def _noise(rng: Generator, band: NDArray[np.float32], width: float) -> Block:
    """Stereo noise of a spectrum; `width` is 0 for mono, 1 for two independent channels."""
    parts = rng.standard_normal((2, 2, len(band)), np.float32)
    middle, side = np.fft.irfft((parts[0] + 1j * parts[1]) * (band / np.float32(math.sqrt(2))), axis=1)
    turn = width * math.pi / 4
    middle, side = middle * math.cos(turn), side * math.sin(turn)
    return np.stack([middle + side, middle - side]) * _WINDOW


def _seconds(hop: int) -> Wave:
    return (hop * HOP_SAMPLES + np.arange(2 * HOP_SAMPLES)) / SAMPLE_RATE


def _slow_wave(hop: int, seed: int, periods: tuple[float, ...]) -> Wave:
    """A slow, irregular wave from 0 to 1 over the block; at the same time it has the same value in every block."""
    phases = np.random.default_rng((seed, len(periods), int(100 * periods[0]))).uniform(0, 2 * np.pi, len(periods))
    time = (hop * HOP_SAMPLES + _COARSE) / SAMPLE_RATE
    waves = [np.sin(2 * np.pi * time / period + phase) for period, phase in zip(periods, phases, strict=True)]
    slow = 0.5 + 0.5 * np.mean(np.asarray(waves), axis=0)
    return cast("Wave", np.interp(np.arange(2 * HOP_SAMPLES), _COARSE, slow))


def _add_event(block: Block, start: int, wave: Wave, pan: float) -> None:
    """Add one event that starts at a sample of the block's first hop; `pan` is -1 for left to 1 for right."""
    angle = (pan + 1) * math.pi / 4
    wave = wave[: 2 * HOP_SAMPLES - start]
    block[0, start : start + len(wave)] += wave * math.cos(angle)
    block[1, start : start + len(wave)] += wave * math.sin(angle)


def _burst(rng: Generator, seconds: float, hertz: float) -> Wave:
    """A short percussive sound at a pitch, with silent ends."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    wave = np.sin(2 * np.pi * hertz * time + rng.uniform(0, 2 * np.pi)) * np.exp(-5 * time / seconds)
    wave[: len(_RISE)] *= _RISE
    wave[-len(_RISE) :] *= _RISE[::-1]
    return wave


def _rain(hop: int, rng: Generator, seed: int) -> Block:
    block = _noise(rng, _band(700, 9000, -2.0), 0.8) * (0.85 + 0.3 * _slow_wave(hop, seed, (5.3, 8.9)))
    block += 0.25 * _noise(rng, _band(120, 500), 0.5)
    for _ in range(rng.poisson(70 * HOP_SAMPLES / SAMPLE_RATE)):
        drop = _burst(rng, rng.uniform(0.006, 0.02), rng.uniform(1800, 6500))
        _add_event(block, int(rng.integers(HOP_SAMPLES)), drop * rng.uniform(0.3, 1.6), rng.uniform(-1, 1))
    return 0.9 * block


def _wind(hop: int, rng: Generator, seed: int) -> Block:
    gust = _slow_wave(hop, seed, (3.1, 4.7, 7.3)) ** 1.5
    low = _noise(rng, _band(70, 320), 0.6) * (0.5 + 1.0 * gust)
    high = _noise(rng, _band(350, 1100, -4.0), 0.7) * 1.4 * gust**1.5
    return 1.2 * (low + high)


def _city(hop: int, rng: Generator, seed: int) -> Block:
    block = 1.2 * _noise(rng, _band(45, 260), 0.5)
    passing = _noise(rng, _band(250, 1600), 0.2) * _slow_wave(hop, seed, (4.3, 6.1, 11.0)) ** 3
    side = _slow_wave(hop, seed + 1, (9.7, 13.9))
    block += 1.8 * passing * np.sqrt(np.stack([side, 1 - side]))
    return block + 0.12 * _noise(rng, _band(1200, 6000), 0.9)


def _sea(hop: int, rng: Generator, seed: int) -> Block:
    swell = (_seconds(hop) / 7.5 + 0.35 * _slow_wave(hop, seed, (17.0, 29.0))) % 1.0
    # A wave rises in a quarter of its period and falls in the rest.
    height = np.where(swell < 0.25, np.sin(2 * np.pi * swell), np.cos(2 * np.pi * (swell - 0.25) / 3) ** 2)
    block = _noise(rng, _band(60, 400), 0.6) * (0.6 + 0.6 * height)
    return block + _noise(rng, _band(500, 6000, -4.0), 0.9) * (0.15 + 1.1 * height**2)


def _room(hop: int, rng: Generator, seed: int) -> Block:
    block = _noise(rng, _band(50, 350, -5.0), 0.4) * (0.95 + 0.1 * _slow_wave(hop, seed, (6.7, 10.3)))
    return 1.3 * block + 0.08 * _noise(rng, _band(800, 5000), 0.9)


def _fire(hop: int, rng: Generator, seed: int) -> Block:
    flicker = _slow_wave(hop, seed, (0.31, 0.47, 0.83))
    block = 1.1 * _noise(rng, _band(60, 420), 0.4) * (0.5 + flicker)
    block += 0.2 * _noise(rng, _band(900, 5000), 0.7)
    for _ in range(rng.poisson(14 * HOP_SAMPLES / SAMPLE_RATE)):
        crack = _burst(rng, rng.uniform(0.004, 0.012), rng.uniform(900, 4500))
        _add_event(
            block,
            int(rng.integers(HOP_SAMPLES)),
            crack * min(1.5 + 1.5 * rng.pareto(1.8), 9.0),
            rng.uniform(-0.7, 0.7),
        )
    return block


def _birds(_hop: int, rng: Generator, _seed: int) -> Block:
    block = 0.12 * _noise(rng, _band(250, 2500, -4.0), 0.9)
    for _ in range(rng.poisson(1.6 * HOP_SAMPLES / SAMPLE_RATE)):
        pitch, pan, loud = rng.uniform(2300, 5200), rng.uniform(-0.9, 0.9), rng.uniform(0.5, 1.6)
        bend, at = rng.uniform(-0.35, 0.45), int(rng.integers(HOP_SAMPLES))
        for _ in range(int(rng.integers(2, 6))):
            chirp = _chirp(rng.uniform(0.05, 0.11), pitch * rng.uniform(0.94, 1.06), bend)
            _add_event(block, at, chirp * loud, pan)
            at += len(chirp) + int(rng.uniform(0.02, 0.06) * SAMPLE_RATE)
            if at + SAMPLE_RATE // 8 > 2 * HOP_SAMPLES:
                break
    return 1.3 * block


def _chirp(seconds: float, hertz: float, bend: float) -> Wave:
    share = np.linspace(0, 1, int(seconds * SAMPLE_RATE))
    phase = 2 * np.pi * hertz * seconds * (share + bend * share**2 / 2)
    return np.sin(phase) * np.sin(np.pi * share) ** 2


def _hum(hop: int, rng: Generator, seed: int) -> Block:
    block = 0.15 * _noise(rng, _band(80, 900), 0.5)
    time = _seconds(hop)[:HOP_SAMPLES]
    for harmonic, phase in enumerate(np.random.default_rng((seed, 50)).uniform(0, 2 * np.pi, 8), start=1):
        for row in range(2):
            beat = 1 + 0.15 * np.sin(2 * np.pi * time / (3.7 + harmonic) + phase + 2 * row)
            block[row, :HOP_SAMPLES] += (
                1.1 / harmonic * beat * np.sin(2 * np.pi * 100 * harmonic * time + phase + 0.6 * row)
            )
    return block


LAYERS: dict[Sound, Layer] = {
    Sound.RAIN: _rain,
    Sound.WIND: _wind,
    Sound.CITY: _city,
    Sound.SEA: _sea,
    Sound.ROOM: _room,
    Sound.FIRE: _fire,
    Sound.BIRDS: _birds,
    Sound.HUM: _hum,
}
