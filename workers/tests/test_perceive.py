"""Perceive: from a reference to observations, with real recordings, the motion detector and the descriptor."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers import perceive
from workers.batch_work import BatchFrame, KnownBackground
from workers.batches import FrameBatch, Segment
from workers.detection.background import BackgroundModel
from workers.observations import Observations
from workers.perceive import Perceiver, encode_jpeg, frames_at
from workers.sources import SourcePolicy, VideoFileSource
from workers.tests.walkers import FPS, FRAMES, SIZE, STARTED_AT, batch, image, person_box, record, segment
from workers.types import EngineError, SourceFrame


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return record(tmp_path_factory.mktemp("footage") / "walk.mp4")


@pytest.fixture
def perceiver_of():
    """Makes perceivers that may read below a folder, and closes them."""
    made = []

    def make(folder, **options) -> Perceiver:
        made.append(Perceiver(policy=SourcePolicy(allowed_roots=(folder,)), **options))
        return made[-1]

    yield make
    for perceiver in made:
        perceiver.close()


@pytest.fixture(scope="module")
def perceiver(recording):
    """One for many tests, as a worker has one for many batches."""
    shared = Perceiver(policy=SourcePolicy(allowed_roots=(recording.parent,)))
    yield shared
    shared.close()


ARRAYS = ("instants", "frames", "captured_at", "counts", "boxes_px", "scores", "embeddings")


def assert_same(one: Observations, other: Observations) -> None:
    """Bit for bit, but for the time it took."""
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
        assert getattr(one, name).dtype == getattr(other, name).dtype
    assert one.problems == other.problems


def joined(*parts: Observations) -> Observations:
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS}
    problems = tuple(problem for part in parts for problem in part.problems)
    return Observations(camera=parts[0].camera, number=0, **arrays, problems=problems)


# -- what is seen --------------------------------------------------------------------------------------------


def test_frames_become_boxes_scores_and_looks(perceiver, recording):
    observed = perceiver.perceive(batch(segment(recording, range(5, 15)), number=7))
    assert (observed.camera, observed.number, observed.problems) == ("yard", 7, ())
    assert observed.instants.tolist() == observed.frames.tolist() == list(range(5, 15))
    np.testing.assert_allclose(observed.captured_at, STARTED_AT + np.arange(5, 15) / FPS, atol=1e-6)
    assert observed.counts.tolist() == [1] * 10
    truth = [person_box(number) for number in range(5, 15)]
    np.testing.assert_allclose(observed.boxes_px, truth, atol=10)
    assert ((observed.scores > 0.5) & (observed.scores <= 1)).all()
    looks = observed.embeddings.astype(float)
    np.testing.assert_allclose(np.linalg.norm(looks, axis=1), 1, atol=0.01)
    assert (looks @ looks.T).min() > 0.8  # it is the same walker all the time
    assert {name: getattr(observed, name).dtype.str for name in ARRAYS} == {
        "instants": "<i4",
        "frames": "<i4",
        "captured_at": "<f8",
        "counts": "<i4",
        "boxes_px": "<f4",
        "scores": "<f4",
        "embeddings": "<f2",
    }
    assert set(observed.timings_ms) == {"queue", "decode", "detect", "embed"}
    assert all(value >= 0 for value in observed.timings_ms.values())


def test_who_stands_apart_is_described_now_and_then(perceiver, recording):
    """At ten instants per second in every third one; the boxes are there in all of them."""
    always = perceiver.perceive(batch(segment(recording, range(5, 15))))
    observed = perceiver.perceive(batch(segment(recording, range(5, 15)), fps=float(FPS)))
    np.testing.assert_array_equal(observed.boxes_px, always.boxes_px)
    described = np.isin(observed.instants, (6, 9, 12))
    np.testing.assert_array_equal(observed.embeddings[described], always.embeddings[described])
    assert not observed.embeddings[~described].any()


def test_frames_that_show_nobody(perceiver_of, tmp_path):
    """The walker is there every other second."""
    path = record(tmp_path / "now_and_then.mp4", empty=lambda number: number // 10 % 2 == 0)
    perceiver = perceiver_of(tmp_path)
    empty = perceiver.perceive(batch(segment(path, range(10))))
    assert empty.instants.tolist() == list(range(10))
    assert empty.counts.tolist() == [0] * 10
    both = perceiver.perceive(batch(segment(path, range(8, 12))))
    assert both.counts.tolist() == [0, 0, 1, 1]
    assert empty.embeddings.shape == (0, both.embeddings.shape[1])
    assert (empty.boxes_px.shape, empty.scores.shape) == ((0, 4), (0,))


def test_boxes_are_in_the_cameras_image_size(perceiver, recording):
    """The camera was calibrated at twice the size that it recorded at."""
    width, height = SIZE
    as_recorded = perceiver.perceive(batch(segment(recording, range(3))))
    doubled = perceiver.perceive(batch(segment(recording, range(3)), image_size=(2 * width, 2 * height)))
    np.testing.assert_allclose(doubled.boxes_px, 2 * as_recorded.boxes_px, rtol=1e-6)
    np.testing.assert_array_equal(doubled.embeddings, as_recorded.embeddings)


def test_detections_below_the_threshold_are_left_out(perceiver, recording):
    scores = perceiver.perceive(batch(segment(recording, range(10)))).scores
    between = float(np.median(scores))
    strict = perceiver.perceive(batch(segment(recording, range(10)), score_threshold=between))
    assert strict.scores.tolist() == scores[scores >= np.float32(between)].tolist()
    assert 0 < strict.counts.sum() < 10


def test_who_watches_is_given_every_frame_with_its_picture(perceiver, recording):
    seen: list[tuple[FrameBatch, BatchFrame]] = []
    asked = batch(segment(recording, range(20, 32)))
    perceiver.perceive(asked, on_frame=lambda *frame: seen.append(frame))
    assert {id(of) for of, _ in seen} == {id(asked)}
    assert [(frame.instant, frame.index) for _, frame in seen] == [(i, i) for i in range(20, 32)]
    for _, frame in seen:
        assert np.abs(frame.image.astype(int) - image(frame.index)).mean() < 6


# -- same input, same output ---------------------------------------------------------------------------------


def test_a_batch_is_the_same_whatever_was_perceived_before(perceiver_of, recording):
    """Another worker, later batches first, one of them twice."""
    tenths = [batch(segment(recording, range(first, first + 10))) for first in range(0, 40, 10)]
    forwards, backwards = perceiver_of(recording.parent), perceiver_of(recording.parent)
    one = [forwards.perceive(tenth) for tenth in tenths]
    other = [backwards.perceive(tenth) for tenth in (*tenths[::-1], tenths[0])]
    for first, second in zip(one, other[3::-1], strict=True):
        assert_same(first, second)
    assert_same(one[0], other[-1])


def test_how_a_recording_is_cut_into_batches_does_not_matter(perceiver, recording):
    whole = perceiver.perceive(batch(segment(recording, range(FRAMES))))
    cuts = [0, 1, 10, 19, 33, FRAMES]
    parts = [
        perceiver.perceive(batch(segment(recording, range(first, last)))) for first, last in pairwise(cuts)
    ]
    assert_same(whole, joined(*parts))


def test_workers_share_a_background_and_learn_it_once(perceiver_of, recording):
    kept: dict[str, bytes] = {}
    computed = []

    def cached(key, compute):
        if key not in kept:
            computed.append(key)
            kept[key] = compute()
        return kept[key]

    alone = perceiver_of(recording.parent).perceive(batch(segment(recording, range(10))))
    for _ in range(2):
        sharing = perceiver_of(recording.parent, cached_background=cached)
        assert_same(sharing.perceive(batch(segment(recording, range(10)))), alone)
        assert_same(sharing.perceive(batch(segment(recording, range(10)))), alone)
    assert len(computed) == 1


def test_another_recording_under_the_same_name_has_another_background(perceiver_of, tmp_path):
    keys = []

    def cached(key, compute):
        keys.append(key)
        return compute()

    for empty in (False, True):
        path = record(tmp_path / "yard.mp4", empty=lambda number, empty=empty: empty)
        perceiver_of(tmp_path, cached_background=cached).perceive(batch(segment(path, range(3))))
    assert len(set(keys)) == 2


# -- instants and frames -------------------------------------------------------------------------------------


def test_instants_without_a_frame_are_left_out(perceiver, recording):
    """The task runs at 25 instants per second, the camera at 10 frames: only every fifth instant meets one."""
    times_s = tuple(i / 25 for i in range(25))
    asked = Segment(str(recording), STARTED_AT, FRAMES / FPS, tuple(range(25)), times_s)
    observed = perceiver.perceive(batch(asked, tolerance_s=0.45 / 25))
    assert observed.instants.tolist() == [0, 5, 10, 15, 20]
    assert observed.frames.tolist() == [0, 2, 4, 6, 8]


def test_after_the_recordings_end_there_is_nothing(perceiver, recording):
    observed = perceiver.perceive(batch(segment(recording, range(FRAMES - 2, FRAMES + 8))))
    assert observed.instants.tolist() == [FRAMES - 2, FRAMES - 1]
    beyond = perceiver.perceive(batch(segment(recording, range(FRAMES + 5, FRAMES + 8))))
    assert (len(beyond.instants), beyond.boxes_px.shape, beyond.problems) == (0, (0, 4), ())


def test_a_batch_without_segments_is_empty(perceiver):
    observed = perceiver.perceive(batch())
    assert (len(observed.instants), observed.embeddings.shape[0], observed.problems) == (0, 0, ())


def test_a_batch_that_spans_two_recordings(perceiver_of, tmp_path):
    first, second = record(tmp_path / "one.mp4"), record(tmp_path / "two.mp4")
    segments = segment(first, range(36, 40)), segment(second, range(40, 46), begins_at=40)
    observed = perceiver_of(tmp_path).perceive(batch(*segments))
    assert observed.instants.tolist() == list(range(36, 46))
    assert observed.frames.tolist() == [36, 37, 38, 39, 0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(observed.captured_at, STARTED_AT + np.arange(36, 46) / FPS, atol=1e-6)
    # the walker begins anew on the left
    assert observed.boxes_px[3, 0] > 200 > 50 > observed.boxes_px[4, 0]


@dataclass
class Timed:
    """A source whose frames have these times."""

    times_s: list[float]

    def frames(self, start_s, end_s):
        for index, time_s in enumerate(self.times_s):
            if start_s <= time_s < end_s:
                yield SourceFrame(index, time_s, np.empty(0))


# in milliseconds, so that no distance is exactly the tolerance of half of one more
moments = st.lists(st.integers(0, 2000), unique=True, max_size=25).map(
    lambda ms: sorted(m / 1000 for m in ms)
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(frames=moments, instants=moments, tolerance_ms=st.integers(0, 80))
def test_every_instant_gets_the_nearest_frame(frames, instants, tolerance_ms):
    tolerance_s = (tolerance_ms + 0.5) / 1000
    expected = []
    for i, time_s in enumerate(instants):
        distance, index = min(((abs(at - time_s), n) for n, at in enumerate(frames)), default=(np.inf, None))
        if distance <= tolerance_s:
            expected.append((i, index))
    found = [(i, frame.index) for i, frame in frames_at(Timed(frames), instants, tolerance_s)]
    assert found == expected


# -- what cannot be read -------------------------------------------------------------------------------------


def test_a_recording_that_breaks_off_is_used_as_far_as_it_goes(perceiver_of, tmp_path):
    path = record(tmp_path / "cut.mkv")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.6)])
    perceiver = perceiver_of(tmp_path)
    observed = [
        perceiver.perceive(batch(segment(path, range(first, first + 10)))) for first in (0, 10, 20, 30)
    ]
    seen = [int(instant) for part in observed for instant in part.instants]
    assert seen == list(range(len(seen)))
    assert 10 < len(seen) < 30
    (problem,) = (problem for part in observed for problem in part.problems)
    assert problem["frame"] == len(seen)
    assert problem["time_s"] == pytest.approx(len(seen) / FPS, abs=0.05)
    assert "ends here" in problem["message"]


def test_who_is_in_the_last_frame_of_a_broken_recording_is_no_background(perceiver_of, tmp_path):
    path = record(tmp_path / "cut.mkv")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.6)])
    observed = perceiver_of(tmp_path).perceive(batch(segment(path, range(5))))
    assert observed.counts.tolist() == [1] * 5


def test_damage_is_reported_in_the_batch_that_it_is_in(perceiver_of, tmp_path):
    path = record(tmp_path / "damaged.mp4")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = np.random.default_rng(3).bytes(400)
    path.write_bytes(data)
    perceiver = perceiver_of(tmp_path)
    observed = [
        perceiver.perceive(batch(segment(path, range(first, first + 10)))) for first in range(0, 40, 10)
    ]
    hit = {number for number, part in enumerate(observed) if part.problems}
    assert hit
    assert hit <= {1, 2}
    for number in hit:
        for problem in observed[number].problems:
            assert 10 * number <= problem["frame"] < 10 * number + 10
            assert problem["message"]
    assert observed[3].instants.tolist() == list(range(30, 40))
    assert observed[3].counts.tolist() == [1] * 10


@pytest.mark.parametrize("content", [None, b"", b"no video " * 99], ids=["missing", "empty", "other"])
def test_an_unreadable_recording_is_a_problem_and_the_others_go_on(perceiver_of, tmp_path, content):
    """Viewers learn which file it is, not where it lies."""
    path = tmp_path / "broken.mp4"
    if content is not None:
        path.write_bytes(content)
    good = record(tmp_path / "good.mp4")
    segments = segment(path, range(3)), segment(good, range(3, 6), begins_at=3)
    observed = perceiver_of(tmp_path).perceive(batch(*segments))
    (problem,) = observed.problems
    assert problem["message"].startswith("broken.mp4: ")
    assert str(tmp_path) not in problem["message"]
    assert (problem["frame"], problem["time_s"]) == (None, 0.0)
    assert observed.instants.tolist() == [3, 4, 5]
    assert observed.counts.tolist() == [1, 1, 1]


@pytest.mark.parametrize("way", ["link", "file", "dots"])
def test_where_an_unreadable_recording_lies_is_not_told_either(perceiver_of, tmp_path, way):
    folder = tmp_path / "private"
    folder.mkdir()
    (folder / "broken.mp4").write_bytes(b"no video " * 99)
    os.symlink(folder / "broken.mp4", tmp_path / "link.mp4")
    uri = {
        "link": tmp_path / "link.mp4",
        "file": f"file://{folder}/broken.mp4",
        "dots": f"{folder}/../private/broken.mp4",
    }[way]
    (problem,) = perceiver_of(tmp_path).perceive(batch(segment(uri, range(3)))).problems
    assert str(tmp_path) not in problem["message"]


def test_what_may_not_be_read_is_a_problem_too(perceiver_of, recording, tmp_path):
    observed = perceiver_of(tmp_path).perceive(batch(segment(recording, range(3))))
    (problem,) = observed.problems
    assert len(observed.instants) == 0
    assert "SPOTON_MEDIA_ROOTS" in problem["message"]
    assert str(recording.parent) not in problem["message"]


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"detector": "guess"}, "no detector 'guess'"),
        ({"embedder": "guess"}, "no embedder 'guess'"),
        ({"detector": "yolox:nowhere.onnx"}, r"nowhere\.onnx"),
        ({"embedder": "onnx:nowhere.onnx"}, r"nowhere\.onnx"),
    ],
    ids=str,
)
def test_missing_models_end_the_task(perceiver, recording, choice, says):
    """Unlike an unreadable recording: no batch could do better."""
    with pytest.raises(EngineError, match=says):
        perceiver.perceive(batch(segment(recording, range(3)), **choice))


def test_warming_up_loads_what_needs_no_view(perceiver):
    perceiver.warm("motion", "descriptor")
    with pytest.raises(EngineError, match=r"nowhere\.onnx"):
        perceiver.warm("yolox:nowhere.onnx", "descriptor")
    with pytest.raises(EngineError, match="no embedder"):
        perceiver.warm("motion", "guess")


def test_only_so_many_recordings_stay_open(perceiver_of, tmp_path, monkeypatch):
    """The one used longest ago is closed, and opened again when it is asked for."""
    monkeypatch.setattr(perceive, "MAX_OPEN_SOURCES", 2)
    paths = [record(tmp_path / f"{name}.mp4") for name in "abc"]
    opened, closed = [], []
    real_open, real_close = perceive.open_source, VideoFileSource.close

    def open_source(uri, **options):
        opened.append(os.path.basename(uri))
        return real_open(uri, **options)

    def close(source):
        closed.append(os.path.basename(source.label))
        real_close(source)

    monkeypatch.setattr(perceive, "open_source", open_source)
    monkeypatch.setattr(VideoFileSource, "close", close)
    perceiver = perceiver_of(tmp_path)
    first = [perceiver.perceive(batch(segment(path, range(3)))) for path in paths]
    assert_same(perceiver.perceive(batch(segment(paths[1], range(3)))), first[1])
    assert (opened, closed) == (["a.mp4", "b.mp4", "c.mp4"], ["a.mp4"])
    assert_same(perceiver.perceive(batch(segment(paths[0], range(3)))), first[0])
    assert (opened[3:], closed[1:]) == (["a.mp4"], ["c.mp4"])
    perceiver.close()
    assert sorted(closed[2:]) == ["a.mp4", "b.mp4"]


# -- live ----------------------------------------------------------------------------------------------------


def live_batch(instants=range(10, 14)) -> FrameBatch:
    return batch(Segment("", STARTED_AT, None, tuple(instants), tuple(i / FPS for i in instants)), live=True)


def known(background: BackgroundModel) -> KnownBackground:
    data = background.to_bytes()
    return KnownBackground(str(hash(data)), lambda: data)


def test_live_frames_come_from_the_frame_store(perceiver_of, tmp_path):
    background = known(perceive.learn_background([image(0, empty=True)]))
    frames = [BatchFrame(i, 500 + i, STARTED_AT + i / FPS + 0.004, image(i)) for i in (10, 12, 13)]
    perceiver = perceiver_of(tmp_path, live_frames=lambda asked: (frames, background))
    observed = perceiver.perceive(live_batch())
    assert observed.instants.tolist() == [10, 12, 13]
    assert observed.frames.tolist() == [510, 512, 513]
    assert observed.captured_at.tolist() == [frame.captured_at for frame in frames]
    np.testing.assert_allclose(observed.boxes_px, [person_box(i) for i in (10, 12, 13)], atol=10)


def test_live_cameras_whose_background_changes_are_seen_with_the_new_one(perceiver_of, tmp_path):
    """At first the walker stands in it; then it is learned anew."""
    backgrounds = [perceive.learn_background([picture]) for picture in (image(10), image(0, empty=True))]
    frames = [BatchFrame(10, 0, STARTED_AT, image(10))]
    answers = iter([(frames, known(background)) for background in backgrounds])
    perceiver = perceiver_of(tmp_path, live_frames=lambda asked: next(answers))
    assert [perceiver.perceive(live_batch([10])).counts.tolist() for _ in backgrounds] == [[0], [1]]


def test_a_live_camera_without_frames_or_background(perceiver_of, tmp_path):
    nothing = perceiver_of(tmp_path, live_frames=lambda asked: ([], None)).perceive(live_batch())
    assert (len(nothing.instants), nothing.problems) == (0, ())
    frames = [BatchFrame(10, 0, STARTED_AT, image(10))]
    with pytest.raises(EngineError, match="background"):
        perceiver_of(tmp_path, live_frames=lambda asked: (frames, None)).perceive(live_batch())


# -- messages and pictures -----------------------------------------------------------------------------------


def test_pictures_are_no_wider_than_asked_for():
    data, size = encode_jpeg(image(0), width=160, quality=80)
    assert size == (160, 90)
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (90, 160, 3)
    _, size = encode_jpeg(image(0), width=5000, quality=80)
    assert size == SIZE


def test_lower_quality_is_smaller():
    good, poor = (encode_jpeg(image(0), width=320, quality=quality)[0] for quality in (90, 30))
    assert len(poor) < 0.7 * len(good)
