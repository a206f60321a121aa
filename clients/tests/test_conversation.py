"""What the client says and shows, message by message; the server's side is SpotOn's own code."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from spoton_client.conversation import ACK_EVERY, Conversation, Message, picture_of
from spoton_client.delta import applied
from tracking.sockets.delta import delta


def at(instant: int) -> str:
    return f"2026-01-01T10:30:{5 + instant // 10:02d}.{instant % 10}00Z"


def track(track_id: int, instant: int, **changes: Any) -> dict[str, Any]:
    return {
        "track_id": track_id,
        "global_id": f"person {track_id}",
        "bbox_xyxy": [1.0 + instant, 2.0, 3.0 + instant, 4.0],
        "confidence": 0.9,
        "map_coords": [1.0, 2.0],
        "is_focused": False,
        "detection_time": at(0),
        "tracking_duration": round(instant / 10, 3),
        **changes,
    }


def payload(instant: int, **cameras: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "global_frame_index": instant,
        "scene_id": "campus",
        "timestamp_processed_utc": at(instant),
        "timestamp_captured_utc": at(instant),
        "cameras": {
            name: {
                "image_source": str(instant),
                "frame_image_base64": None,
                "cropped_persons": {},
                "tracks": tracks,
            }
            for name, tracks in cameras.items()
        },
        "person_count_per_camera": {name: len(tracks) for name, tracks in cameras.items()},
        "persons": [],
        "focus_person_id": None,
    }


def update(seq: int, told: dict[str, Any]) -> str:
    return json.dumps({"type": "tracking_update", "seq": seq, "payload": told})


def status(seq: int) -> str:
    return json.dumps({"type": "task_status", "seq": seq, "payload": {"status": "PROCESSING"}})


def frame(seq: int, image: bytes = b"\xff\xd8") -> bytes:
    header = json.dumps({"seq": seq, "camera_id": "c01"}).encode()
    return len(header).to_bytes(4, "big") + header + image


def shown(talk: Conversation, *messages: str | bytes) -> list[Any]:
    return [seen for message in messages for seen in talk.received(message)]


def said(talk: Conversation) -> list[dict[str, Any]]:
    replies, talk.replies = talk.replies, []
    return replies


# -- deltas ----------------------------------------------------------------------------------------------------------


def test_a_delta_gives_the_full_update_again() -> None:
    base = payload(0, c01=[track(1, 0), track(2, 0), track(3, 0)], c02=[])
    stands = {**track(3, 0), "tracking_duration": 0.7}
    now = payload(7, c01=[track(1, 7), stands], c02=[track(9, 7, confidence=0.5)])
    kept = deepcopy(base)

    assert applied(base, {**delta(base, now), "base_seq": 4}) == now
    assert base == kept, "the base is needed again"


def test_who_turns_out_to_have_been_here_before_has_been_here_for_longer() -> None:
    base = payload(30, c01=[{**track(1, 30), "detection_time": at(20), "tracking_duration": 1.0}])
    now = payload(33, c01=[{**track(1, 33), "detection_time": at(0), "tracking_duration": 3.3}])

    assert applied(base, delta(base, now)) == now


def test_without_durations_none_are_made_up() -> None:
    base, now = (payload(i, c01=[{"track_id": 1, "global_id": "a"}]) for i in (0, 3))

    assert applied(base, delta(base, now)) == now


def test_a_camera_that_is_new_in_a_delta() -> None:
    base, now = payload(0), payload(1, c05=[track(1, 1)])

    assert applied(base, delta(base, now)) == now


# -- options and acknowledgements ------------------------------------------------------------------------------------


def test_options_are_asked_for_once_the_server_knows_who_asks() -> None:
    talk = Conversation({"mode": "delta"})
    assert said(talk) == []

    shown(talk, status(1))
    assert said(talk) == [{"type": "subscribe", "mode": "delta"}]
    shown(talk, status(2))
    assert said(talk) == []


def test_a_snapshot_before_the_options_is_cut_to_the_cameras() -> None:
    talk = Conversation({"cameras": ["c01"]})

    before = shown(talk, status(1), update(2, payload(0, c01=[], c02=[])))[-1]
    assert list(before.payload["cameras"]) == ["c01"]
    assert before.payload["person_count_per_camera"] == {"c01": 0}


def test_pictures_before_the_options_are_not_shown() -> None:
    talk = Conversation({"overlay": True})
    subscribed = json.dumps({"type": "subscribed", "overlay": True})

    assert shown(talk, subscribed, frame(1)) == []
    assert [picture.header["seq"] for picture in shown(talk, subscribed, frame(2))] == [2]


def test_deltas_build_on_what_was_acknowledged() -> None:
    talk = Conversation({"mode": "delta"})
    first, second, third = (payload(i, c01=[track(1, i)]) for i in range(3))

    shown(talk, status(1), json.dumps({"type": "subscribed"}), update(2, first))
    assert said(talk)[-1] == {"type": "ack", "seq": 2}
    changes = [update(n, {**delta(first, p), "base_seq": 2}) for n, p in ((3, second), (4, third))]
    assert [m.payload for m in shown(talk, *changes)] == [second, third]


def test_acknowledgements_are_few_and_never_too_late() -> None:
    talk = Conversation({})

    shown(talk, *(frame(n) for n in range(1, 4 * ACK_EVERY + 2)))
    assert [reply["seq"] for reply in said(talk)] == [1 + n * ACK_EVERY for n in range(5)]


def test_after_half_a_second_what_arrived_is_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 100.2, 100.6])
    monkeypatch.setattr("spoton_client.conversation.time.monotonic", lambda: next(clock))
    talk = Conversation({})

    shown(talk, frame(1), frame(2), frame(3))
    assert [reply["seq"] for reply in said(talk)] == [1, 3]


# -- gaps ------------------------------------------------------------------------------------------------------------


def test_a_gap_is_healed_once() -> None:
    talk = Conversation({})

    seen = shown(talk, status(1), status(4), status(5))
    assert [message.seq for message in seen] == [1, 4, 5]
    assert said(talk) == [{"type": "resync"}]
    shown(talk, status(9))
    assert said(talk) == [{"type": "resync"}], "the next gap is another one"


def test_a_delta_on_something_unknown_is_healed_and_not_shown() -> None:
    talk = Conversation({"mode": "delta"})
    first, second = (payload(i, c01=[]) for i in range(2))
    lost = {**delta(first, second), "base_seq": 70}
    shown(talk, status(1), json.dumps({"type": "subscribed"}))
    said(talk)

    assert shown(talk, update(2, lost), update(3, lost)) == []
    assert said(talk) == [{"type": "resync"}]
    assert [m.payload for m in shown(talk, status(4), update(5, second))][1:] == [second]


def test_an_instant_is_not_shown_again_after_coming_back() -> None:
    talk = Conversation({})
    shown(talk, status(1), update(2, payload(5, c01=[])))

    talk.opened()
    seen = shown(talk, status(1), update(2, payload(5, c01=[])), update(3, payload(6, c01=[])))
    assert [m.payload["global_frame_index"] for m in seen if m.type == "tracking_update"] == [6]


def test_a_batch_is_shown_one_by_one() -> None:
    talk = Conversation({"batching": True})
    batch = {"type": "batch", "messages": [json.loads(update(n, payload(n, c01=[]))) for n in (1, 2)]}

    assert [m.seq for m in shown(talk, json.dumps(batch))] == [1, 2]


# -- pictures --------------------------------------------------------------------------------------------------------


def test_a_frame_message_is_taken_apart() -> None:
    picture = picture_of(frame(3, b"image"))

    assert (picture.header, picture.image) == ({"seq": 3, "camera_id": "c01"}, b"image")


@pytest.mark.parametrize("size", [0, 3, 4, 20])
def test_a_cut_off_frame_message_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="not a frame"):
        picture_of(frame(3)[:size])


def test_errors_are_kept_for_whoever_reads_the_socket() -> None:
    talk = Conversation({"cameras": ["c99"]})
    shown(talk, status(1))
    told = {"type": "error", "error": {"code": "camera_not_found", "message": "No.", "details": {}}}

    assert shown(talk, json.dumps(told)) == []
    assert talk.error == told
    assert isinstance(shown(talk, status(2))[0], Message)
