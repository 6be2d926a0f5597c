import tracemalloc
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from framegate.animatic.audio import mix
from framegate.animatic.audio.layers import SAMPLE_RATE, Samples
from framegate.animatic.prompt.scene import Sound, SoundLayer

KINDS = list(Sound)
# Spectral centroid in Hz, which tells these sounds apart.
CENTROIDS = {
    Sound.RAIN: (1500, 6000),
    Sound.WIND: (100, 600),
    Sound.CITY: (80, 700),
    Sound.SEA: (250, 2500),
    Sound.ROOM: (60, 300),
    Sound.FIRE: (120, 900),
    Sound.BIRDS: (2000, 5000),
    Sound.HUM: (100, 500),
}


@cache
def mixed(*kinds: Sound, seconds: float = 6.0, seed: int = 1, level: float = 0.5) -> Samples:
    layers = [SoundLayer(sound=kind, level=level) for kind in kinds]
    return np.concatenate(list(mix.mix_layers(layers, round(seconds * SAMPLE_RATE), seed)), axis=1)


def decibels(value: float) -> float:
    return 20 * float(np.log10(value))


def between_samples(track: Samples) -> NDArray[np.float64]:
    """The track at four times its rate, to find its true peaks."""
    spectrum = np.fft.rfft(track, axis=1)
    return np.fft.irfft(spectrum, 4 * track.shape[1], axis=1) * 4


@pytest.mark.parametrize("kinds", [*((kind,) for kind in KINDS), (Sound.RAIN, Sound.CITY), tuple(KINDS)])
def test_a_mix_has_broadcast_loudness_and_limited_peaks(kinds: tuple[Sound, ...]):
    track = mixed(*kinds)

    assert mix.measure_loudness(track[:, SAMPLE_RATE // 2 : -SAMPLE_RATE]) == pytest.approx(-23, abs=1.5)
    assert decibels(np.abs(between_samples(track)).max()) < -1


@pytest.mark.parametrize("kind", KINDS)
def test_each_sound_has_its_typical_spectrum(kind: Sound):
    middle = mixed(kind).mean(axis=0)

    power = np.abs(np.fft.rfft(middle)) ** 2
    centroid = (power * np.fft.rfftfreq(len(middle), 1 / SAMPLE_RATE)).sum() / power.sum()
    low, high = CENTROIDS[kind]
    assert low < centroid < high


@pytest.mark.parametrize("kind", KINDS)
def test_a_mix_has_stereo_width_no_clicks_and_no_dc(kind: Sound):
    track = mixed(kind)

    assert 0.1 < np.asarray(np.corrcoef(track))[0, 1] < 0.95
    assert np.abs(np.diff(track)).max() < 0.3
    assert np.abs(track.mean(axis=1)).max() < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_join_without_a_seam(kind: Sound):
    steps = np.abs(np.diff(mixed(kind, seconds=8))).max(axis=0)

    seams = [hop * 32_768 for hop in range(1, 11)]
    at_seams = max(steps[seam - 2 : seam + 2].max() for seam in seams)
    assert at_seams <= np.quantile(steps, 0.9999)


@pytest.mark.parametrize("seconds", [0.1, 1.0, 4.04, 20.0])
def test_a_mix_has_its_exact_length_with_fades_from_and_to_silence(seconds: float):
    track = mixed(Sound.RAIN, seconds=seconds)

    assert track.shape == (2, round(seconds * SAMPLE_RATE))
    assert np.abs(track[:, [0, -1]]).max() < 1e-4
    if seconds > 3:
        level = np.sqrt((track**2).mean(axis=0))
        start, full, end = (
            level[: SAMPLE_RATE // 20].mean(),
            level[SAMPLE_RATE : 2 * SAMPLE_RATE].mean(),
            level[-SAMPLE_RATE // 10 :].mean(),
        )
        assert start < 0.1 * full
        assert end < 0.15 * full
        assert level[int(0.3 * SAMPLE_RATE) : int(0.6 * SAMPLE_RATE)].mean() > 0.7 * full


def test_only_the_same_layers_and_seed_give_the_same_sound():
    again = mixed.__wrapped__(Sound.SEA, Sound.BIRDS)
    assert np.array_equal(mixed(Sound.SEA, Sound.BIRDS), again)
    assert not np.array_equal(mixed(Sound.SEA), mixed(Sound.SEA, seed=2))


def test_a_longer_mix_starts_like_a_shorter_one():
    short, long = mixed(Sound.FIRE, seconds=15), mixed(Sound.FIRE, seconds=30)

    assert np.array_equal(short[:, : 14 * SAMPLE_RATE], long[:, : 14 * SAMPLE_RATE])


def test_a_level_makes_a_mix_louder_or_softer():
    soft, usual, loud = (mix.measure_loudness(mixed(Sound.WIND, level=level)) for level in (0.25, 0.5, 1.0))

    assert usual - soft == pytest.approx(3, abs=0.5)
    assert loud - usual == pytest.approx(3, abs=0.5)


@pytest.mark.parametrize("layers", [(), (SoundLayer(sound=Sound.RAIN, level=0.0),)])
def test_a_mix_without_layers_is_silent(layers: tuple[SoundLayer, ...]):
    track = np.concatenate(list(mix.mix_layers(layers, 100_000, 1)), axis=1)

    assert track.shape == (2, 100_000)
    assert not track.any()


def test_memory_does_not_grow_with_the_duration():
    layers = [SoundLayer(sound=Sound.RAIN), SoundLayer(sound=Sound.SEA)]
    tracemalloc.start()
    longest = sum(chunk.shape[1] for chunk in mix.mix_layers(layers, 60 * SAMPLE_RATE, 1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert longest == 60 * SAMPLE_RATE
    assert peak < 64 * 2**20  # the whole mix would be 23 MB, and its spectrum twice as much
