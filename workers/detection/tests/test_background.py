"""The background is a function of the recording alone, and survives people who linger."""

import numpy as np
import pytest

from workers.detection.background import (
    MAX_PIXELS,
    SAMPLES,
    BackgroundModel,
    background_sample_times,
    learn_background,
)
from workers.detection.motion_foreground import Foreground
from workers.types import EngineError


def street(seed: int = 0, size: tuple[int, int] = (120, 160)) -> np.ndarray:
    """A textured empty scene, (height, width, 3) uint8."""
    return np.random.default_rng(seed).integers(60, 180, (*size, 3)).astype(np.uint8)


def noisy(image: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 3, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


# -- when samples are taken ----------------------------------------------------------------------------------


@pytest.mark.parametrize("duration_s", [0.5, 79.5, 180, 200, 1000, 86_400])
def test_every_moment_of_a_block_has_the_same_sample_times(duration_s: float):
    blocks = max(1, round(duration_s / 180))
    for block in range(min(blocks, 5)):
        start, end = block * duration_s / blocks, (block + 1) * duration_s / blocks
        times = {background_sample_times(duration_s, at) for at in np.linspace(start, end, 7)[1:-1]}
        assert len(times) == 1
        (only,) = times
        assert len(only) == SAMPLES
        assert list(only) == sorted(only)
        assert start < only[0]
        assert only[-1] < end


def test_moments_outside_the_recording_use_its_ends():
    assert background_sample_times(1000, -5) == background_sample_times(1000, 0)
    assert background_sample_times(1000, 5000) == background_sample_times(1000, 999)


def test_later_blocks_have_their_own_background():
    assert background_sample_times(1000, 10) != background_sample_times(1000, 900)


@pytest.mark.parametrize("duration_s", [0, -1, float("nan"), float("inf")])
def test_a_duration_that_is_none_is_refused(duration_s: float):
    with pytest.raises(ValueError, match="duration"):
        background_sample_times(duration_s, 0)


# -- learning ------------------------------------------------------------------------------------------------


def test_who_stands_for_less_than_half_of_the_time_is_not_in_it():
    empty = street()
    images = [noisy(empty, i) for i in range(41)]
    for image in images[5:23]:
        image[40:100, 50:75] = 10
    model = learn_background(images)
    difference = np.abs(model.image.astype(int) - empty)
    assert difference.mean() < 3
    assert difference.max() <= 12
    assert model.noise[60, 60] < 25


def test_a_flickering_spot_is_known_to_be_restless():
    images = [noisy(street(), i) for i in range(21)]
    for image in images[::2]:
        image[20:30, 20:30] = 250
    noise = learn_background(images).noise
    assert noise[20:30, 20:30].min() > 5 * np.median(noise)


def test_clouds_are_not_taken_for_noise():
    empty = street()
    light = np.linspace(0.7, 1.2, 21)
    dimmed = [noisy(np.clip(empty * gain, 0, 255).astype(np.uint8), i) for i, gain in enumerate(light)]
    assert np.median(learn_background(dimmed).noise) <= 5


def test_a_busy_path_does_not_grow_insensitive():
    images = [noisy(street(), i) for i in range(41)]
    for image in images[::5]:
        image[40:100, 50:75] = 10
    assert learn_background(images).noise[60, 60] < 25


def test_where_many_people_pass_the_next_one_still_stands_out():
    rng = np.random.default_rng(4)
    empty = street()
    images = [noisy(empty, i) for i in range(41)]
    for image in images:
        if rng.random() < 0.45:
            image[40:100, 50:75] = noisy(np.full((60, 25, 3), rng.integers(0, 256, 3)), rng.integers(1 << 30))
    model = learn_background(images)
    path = np.s_[42:98, 52:73]
    assert np.abs(model.image[path].astype(int) - empty[path]).mean() < 2
    assert np.median(model.noise[path]) <= 2 * np.median(model.noise)


def test_leaves_in_the_wind_are_not_taken_for_people():
    rng = np.random.default_rng(5)
    leaves = rng.normal(110, 45, (60, 60))
    images = [noisy(street(), i) for i in range(41)]
    for image in images:
        x, y = rng.integers(0, 9, 2)
        image[30:80, 50:100] = np.clip(leaves[y : y + 50, x : x + 50], 0, 255)[..., None]
    model = learn_background(images[:-1])
    likelihood = Foreground(model.image, model.noise).likelihood(images[-1])
    assert likelihood[30:80, 50:100].mean() / 255 < 0.02


def test_who_stands_there_nearly_all_the_time_is_taken_for_scenery():
    images = [noisy(street(), i) for i in range(41)]
    for image in images[3:]:
        image[40:100, 50:75] = 10
    assert learn_background(images).image[60, 60].tolist() == [10, 10, 10]


def test_the_same_samples_give_the_same_model():
    images = [noisy(street(), i) for i in range(11)]
    assert learn_background(images).to_bytes() == learn_background(tuple(images)).to_bytes()


def test_large_frames_are_analysed_small():
    model = learn_background([street(size=(1080, 1920))] * 2)
    width, height = model.size
    assert width * height <= MAX_PIXELS
    assert width / height == pytest.approx(16 / 9, rel=0.01)


def test_learning_leaves_the_samples_as_they_were():
    images = [noisy(street(), 1), np.clip(street() * 0.6, 0, 255).astype(np.uint8)]
    before = [image.copy() for image in images]
    learn_background(images)
    assert all(np.array_equal(a, b) for a, b in zip(images, before, strict=True))


def test_no_frames_and_mixed_sizes_are_named():
    with pytest.raises(EngineError, match="no frames"):
        learn_background([])
    with pytest.raises(EngineError, match="different sizes"):
        learn_background([street(size=(20, 30)), street(size=(30, 20))])


# -- storing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [None, (0.25, 5.5)])
def test_a_model_survives_storage_bit_by_bit(scale: tuple[float, float] | None):
    rng = np.random.default_rng(1)
    model = BackgroundModel(street(), rng.integers(0, 255, (120, 160)).astype(np.uint8), scale)
    data = model.to_bytes()
    again = BackgroundModel.from_bytes(data)
    assert np.array_equal(again.image, model.image)
    assert np.array_equal(again.noise, model.noise)
    assert again.scale == scale
    assert again.to_bytes() == data


@pytest.mark.parametrize("data", [b"", b"something else entirely, of some length, but no model", b"SOBG1"])
def test_other_bytes_are_refused(data: bytes):
    with pytest.raises(EngineError, match="background"):
        BackgroundModel.from_bytes(data)


def test_a_cut_off_model_is_refused():
    data = BackgroundModel(street(), np.zeros((120, 160), np.uint8)).to_bytes()
    with pytest.raises(EngineError, match="background"):
        BackgroundModel.from_bytes(data[: len(data) // 2])
