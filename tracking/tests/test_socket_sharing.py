"""What the sockets of one process share, and how each keeps its own pace."""

from __future__ import annotations

import asyncio
import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.sockets import levels
from tracking.sockets.delta import delta
from tracking.sockets.feed import MOST_WAITING, Mailbox
from tracking.sockets.instants import Instant, View
from tracking.sockets.levels import Pace
from tracking.sockets.shared import Shared

# -- forms of an instant -------------------------------------------------------------------------------------


def track(track_id, person, x=1.0, **more):
    return {"track_id": track_id, "global_id": person, "bbox_xyxy": [x, 2.0, 3.0, 4.0], "is_focused": False,
            "tracking_duration": x, **more}  # fmt: skip


def payload(index=0, **cameras):
    made = {
        name: {
            "image_source": str(index),
            "frame_image_base64": None,
            "cropped_persons": {},
            "tracks": tracks,
        }
        for name, tracks in cameras.items()
    }
    return {
        "global_frame_index": index,
        "scene_id": "yard",
        "timestamp_processed_utc": "2026-01-01T00:00:00.000Z",
        "timestamp_captured_utc": "2026-01-01T00:00:00.000Z",
        "cameras": made,
        "person_count_per_camera": {name: len(camera["tracks"]) for name, camera in made.items()},
        "persons": [],
        "focus_person_id": None,
    }


def test_who_wants_everything_is_sent_the_published_text():
    text = json.dumps(payload(3, c01=[track(1, "a")]))
    assert Instant.read(text).text() is Instant.read(text).text() or Instant.read(text).text() == text


def test_a_form_is_made_once_for_all_who_want_it():
    instant, made = Instant(payload()), []
    for _ in range(3):
        instant.form("any", lambda: made.append(1) or {"x": 1})
    assert made == [1]
    assert instant.text(View(cameras=("c01",))) is instant.text(View(cameras=("c01",)))


def test_a_view_leaves_out_and_marks():
    instant = Instant(payload(c01=[track(1, "a"), track(2, "b")], c02=[track(9, "a")]))
    before = copy.deepcopy(instant.payload())
    seen = instant.payload(View(cameras=("c01",), fields=frozenset({"is_focused"}), focus="b"))
    assert list(seen["cameras"]) == ["c01"]
    assert seen["person_count_per_camera"] == {"c01": 2}
    assert seen["cameras"]["c01"]["tracks"] == [
        {"track_id": 1, "global_id": "a", "is_focused": False},
        {"track_id": 2, "global_id": "b", "is_focused": True},
    ]
    assert seen["focus_person_id"] == "b"
    assert instant.payload() == before


# -- deltas --------------------------------------------------------------------------------------------------

people = st.dictionaries(
    st.integers(1, 6), st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=6
).map(lambda found: [track(i, person, float(x)) for i, (person, x) in found.items()])


def applied(base, change):
    """What a client makes of a delta, as docs/API.md tells it."""
    cameras = {}
    for name, camera in change["cameras"].items():
        tracks = {t["track_id"]: dict(t) for t in base["cameras"].get(name, {"tracks": []})["tracks"]}
        for track_id in camera["removed"]:
            del tracks[track_id]
        for changed in camera["changed"]:
            tracks[changed["track_id"]].update(changed)
        tracks.update({t["track_id"]: dict(t) for t in camera["added"]})
        cameras[name] = tracks
    return cameras


@given(people, people, people)
def test_a_delta_makes_of_the_one_the_other(before, after, other):
    base, now = payload(0, c01=before, c02=other), payload(1, c01=after, c02=other)
    change = delta(base, now)
    assert change["delta"] is True
    assert change["cameras"]["c02"]["added"] == change["cameras"]["c02"]["changed"] == []
    for name, tracks in applied(base, change).items():
        expected = {t["track_id"]: t for t in now["cameras"][name]["tracks"]}
        assert tracks.keys() == expected.keys()
        for i, made in tracks.items():
            # follows from `detection_time`
            assert {**made, "tracking_duration": 0} == {**expected[i], "tracking_duration": 0}


def test_a_camera_that_is_new_to_the_viewer_is_told_whole():
    change = delta(payload(0, c01=[]), payload(1, c02=[track(1, "a")]))
    assert [t["track_id"] for t in change["cameras"]["c02"]["added"]] == [1]


# -- sharing -------------------------------------------------------------------------------------------------


async def test_many_who_ask_at_once_cause_one_answer():
    shared, made = Shared(4), []

    async def make():
        made.append(1)
        await asyncio.sleep(0.01)
        return "picture"

    assert await asyncio.gather(*(shared.get("key", make) for _ in range(20))) == ["picture"] * 20
    assert made == [1]


async def test_an_error_is_told_to_all_and_tried_again_later():
    shared, tries = Shared(4), []

    async def make():
        tries.append(1)
        await asyncio.sleep(0)
        if len(tries) == 1:
            raise ValueError("once")
        return "now"

    first = await asyncio.gather(*(shared.get("key", make) for _ in range(3)), return_exceptions=True)
    assert [type(e) for e in first] == [ValueError] * 3
    assert await shared.get("key", make) == "now"


async def test_who_leaves_takes_nothing_away_from_the_others():
    shared, begun = Shared(4), asyncio.Event()

    async def make():
        begun.set()
        await asyncio.sleep(0.05)
        return "picture"

    leaving = asyncio.create_task(shared.get("key", make))
    await begun.wait()
    staying = asyncio.create_task(shared.get("key", make))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == "picture"


async def test_only_so_much_is_kept():
    shared, made = Shared(2), []

    async def make():
        made.append(1)
        return len(made)

    for key in ("a", "b", "c", "a"):
        await shared.get(key, make)
    assert len(made) == 4


# -- a viewer's mailbox --------------------------------------------------------------------------------------


async def test_a_full_mailbox_loses_old_batches_never_other_notices():
    mailbox = Mailbox()
    mailbox.put({"type": "task.changed"})
    for number in range(MOST_WAITING + 10):
        mailbox.put({"type": "batch.committed", "number": number})
    assert mailbox.missed == 11
    assert (await mailbox.take())["type"] == "task.changed"
    assert (await mailbox.take())["number"] == 11


async def test_the_newest_of_the_waiting_batches_up_to_the_next_other_notice():
    mailbox = Mailbox()
    for number in (1, 2):
        mailbox.put({"type": "batch.committed", "number": number})
    mailbox.put({"type": "task.changed"})
    mailbox.put({"type": "batch.committed", "number": 3})
    first = await mailbox.take()
    assert mailbox.take_newest("batch.committed", first)["number"] == 2
    assert (await mailbox.take())["type"] == "task.changed"


# -- quality of one connection -------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(levels.time, "monotonic", lambda: now[0])
    return now


def play(pace, clock, seconds, delay_s, rate=40):
    """Pictures at a steady rate, acknowledged one by one after a delay; the numbers go on."""
    begin = getattr(pace, "numbers", 0)
    for n in range(begin, begin + round(seconds * rate)):
        clock[0] += 1 / rate
        pace.sent(n)
        late = n - round(delay_s * rate)
        if late >= 0:
            pace.acknowledged(late)
    pace.numbers = begin + round(seconds * rate)


def test_a_good_connection_keeps_full_quality(clock):
    pace = Pace(200)
    play(pace, clock, 30, 0.05)
    assert pace.level.name == "full"


def test_a_slow_connection_steps_down_and_up_again_when_it_recovers(clock):
    pace = Pace(200)
    play(pace, clock, 5, 1.5)
    assert pace.level.name in ("medium", "low")
    play(pace, clock, 60, 0.05)
    assert pace.level.name == "full"


def test_who_acknowledges_rarely_but_in_time_keeps_full_quality(clock):
    """The console says every twentieth only."""
    pace = Pace(200)
    for n in range(1, 2000):
        clock[0] += 0.1
        pace.sent(n)
        if n % 20 == 0:
            pace.acknowledged(n)
    assert pace.level.name == "full"
