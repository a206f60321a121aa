"""The module for web pages, `static/console/client/`, run where it is used: in a browser. No server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page

from tracking.sockets.delta import delta

# a conversation that keeps what it says and, on request, what it shows
TALK = """
  const talkWith = (options) => {
    const said = [];
    return { said, talk: new m.Conversation(options, (message) => said.push(message)) };
  };
  const status = (seq) => JSON.stringify({ type: "task_status", seq, payload: { status: "PROCESSING" } });
  const update = (seq, payload) => JSON.stringify({ type: "tracking_update", seq, payload });
  const subscribed = JSON.stringify({ type: "subscribed" });
  const frame = (seq) => {
    const header = new TextEncoder().encode(JSON.stringify({ seq, camera_id: "c01", format: "jpeg" }));
    const message = new Uint8Array(4 + header.length + 3);
    new DataView(message.buffer).setUint32(0, header.length);
    message.set(header, 4);
    message.set([9, 8, 7], 4 + header.length);
    return message.buffer;
  };
"""


def run(page: Page, module: str, script: str, **values: object) -> Any:
    """Evaluate `script` (a function body) with the module's exports as `m` and `values` as constants."""
    constants = "".join(f"const {name} = {json.dumps(value)};" for name, value in values.items())
    return page.evaluate(
        f"async () => {{ const m = await import('/console/client/{module}.js'); {constants} {script} }}"
    )


def payload(instant: int, *track_ids: int, **changes: Any) -> dict[str, Any]:
    at = f"2026-01-01T10:30:0{instant}.000Z"
    tracks = [
        {
            "track_id": number,
            "global_id": f"person {number}",
            "map_coords": [number, instant],
            "detection_time": "2026-01-01T10:30:00.000Z",
            "tracking_duration": float(instant),
            **changes,
        }
        for number in track_ids
    ]
    camera = {"image_source": str(instant), "frame_image_base64": None, "cropped_persons": {}}
    return {
        "global_frame_index": instant,
        "scene_id": "campus",
        "timestamp_processed_utc": at,
        "timestamp_captured_utc": at,
        "cameras": {"c01": {**camera, "tracks": tracks}, "c02": {**camera, "tracks": []}},
        "person_count_per_camera": {"c01": len(tracks), "c02": 0},
        "persons": [],
        "focus_person_id": None,
    }


# -- frames ----------------------------------------------------------------------------------------------------------


def test_a_frame_message_is_taken_apart(modules: Page) -> None:
    header, kind, image = run(
        modules,
        "frames",
        TALK
        + "const { header, blob } = m.parseFrame(frame(7));"
        + "return [header, blob.type, [...new Uint8Array(await blob.arrayBuffer())]];",
    )

    assert header == {"seq": 7, "camera_id": "c01", "format": "jpeg"}
    assert (kind, image) == ("image/jpeg", [9, 8, 7])


@pytest.mark.parametrize("size", [0, 3, 20])
def test_a_cut_off_frame_message_is_refused(modules: Page, size: int) -> None:
    script = TALK + "try { m.parseFrame(frame(1).slice(0, size)); } catch (e) { return e.name; } return null;"

    assert run(modules, "frames", script, size=size) == "RangeError"


# -- deltas and conversations ----------------------------------------------------------------------------------------


def test_a_delta_gives_the_full_update_again(modules: Page) -> None:
    base, now = payload(0, 1, 2), payload(3, 2, 5)
    changes = {**delta(base, now), "base_seq": 4}

    assert run(modules, "delta", "return m.applied(base, changes);", base=base, changes=changes) == now


def test_deltas_build_on_what_was_acknowledged(modules: Page) -> None:
    first, second = payload(0, 1), payload(2, 1, 4)
    said, shown = run(
        modules,
        "conversation",
        TALK
        + """const { said, talk } = talkWith({ mode: "delta" });
        const messages = [status(1), subscribed, update(2, first), update(3, changes)];
        return [said, messages.flatMap((message) => talk.received(message))];""",
        first=first,
        changes={**delta(first, second), "base_seq": 2},
    )

    assert said == [{"type": "subscribe", "mode": "delta"}, {"type": "ack", "seq": 2}]
    assert [message["payload"] for message in shown if message["type"] == "tracking_update"] == [
        first,
        second,
    ]


def test_gaps_and_unknown_bases_are_healed_once(modules: Page) -> None:
    said, shown = run(
        modules,
        "conversation",
        TALK
        + """const { said, talk } = talkWith({ mode: "delta" });
        for (const message of [status(1), subscribed, status(4), status(5)]) talk.received(message);
        const lost = [6, 7].flatMap((seq) => talk.received(update(seq, changes)));
        return [said, lost];""",
        changes={**delta(payload(0), payload(1)), "base_seq": 70},
    )

    assert said == [{"type": "subscribe", "mode": "delta"}, {"type": "resync"}, {"type": "resync"}]
    assert shown == []


def test_pictures_are_acknowledged_twice_a_second(modules: Page) -> None:
    """Ten pictures a second for three seconds; none is shown before the wanted kind is agreed."""
    said, count = run(
        modules,
        "conversation",
        TALK
        + """const { said, talk } = talkWith({ overlay: true });
        const early = [...talk.received(subscribed), ...talk.received(frame(1), 0)].length;
        talk.received(subscribed);
        let shown = 0;
        for (let i = 1; i < 30; i++) shown += talk.received(frame(i + 1), i * 100).length;
        return [said, early + shown];""",
    )

    assert said[0] == {"type": "subscribe", "overlay": True}
    assert [reply["seq"] for reply in said[1:]] == [1, 6, 11, 16, 21, 26]
    assert count == 1 + 29


def test_pictures_in_a_burst_are_acknowledged_before_the_server_stops(modules: Page) -> None:
    script = (
        TALK
        + "const { said, talk } = talkWith({}); for (let i = 1; i < 202; i++) talk.received(frame(i), 0);"
    )

    assert len(run(modules, "conversation", script + "return said;")) == 5


def test_an_instant_is_not_shown_again_after_coming_back(modules: Page) -> None:
    indices = run(
        modules,
        "conversation",
        TALK
        + """const { talk } = talkWith({});
        const see = (...messages) => messages.flatMap((message) => talk.received(message));
        const before = see(update(1, one));
        talk.opened();
        return [...before, ...see(update(1, one), update(2, two))].map((x) => x.payload.global_frame_index);""",
        one=payload(1),
        two=payload(2),
    )

    assert indices == [1, 2]


def test_pauses_between_attempts_grow_and_are_bounded(modules: Page) -> None:
    pauses = run(modules, "socket", "return [0, 1, 2, 3, 10].map((attempt) => m.pauseBefore(attempt, 0.5));")

    assert pauses == [500, 1000, 2000, 4000, 15000]


# -- requests --------------------------------------------------------------------------------------------------------

# a session of another site; requests are kept and answered by `answers`, in order
SESSION = """
  const asked = [];
  globalThis.fetch = async (url, { method, headers, body }) => {
    asked.push([method, url, headers.Authorization, body instanceof FormData ? [...body.keys()] : body ?? null]);
    return new Response(JSON.stringify(answers[asked.length - 1][1]), { status: answers[asked.length - 1][0] });
  };
  const session = {
    url: (path) => `https://spoton.test${path}`, token: "a1",
    accessToken: async () => session.token, renew: async () => (session.token = "a2"),
  };
  const api = new m.Api(session);
"""


def ok(data: Any, following: str | None = None) -> list[Any]:
    return [200, {"success": True, "data": data, "meta": {"pagination": {"next": following}}}]


def test_lists_are_read_page_by_page(modules: Page) -> None:
    items, asked = run(
        modules,
        "index",
        SESSION + "return [await m.all(api.environmentsList({ limit: 2 })), asked];",
        answers=[ok([1, 2], "http://inside/api/v1/environments?cursor=abc%3D&limit=2"), ok([3])],
    )

    assert items == [1, 2, 3]
    base = "https://spoton.test/api/v1/environments?limit=2"
    assert [url for _, url, *_ in asked] == [base, f"{base}&cursor=abc%3D"]


def test_parameters_find_their_places(modules: Page) -> None:
    (asked,) = run(
        modules,
        "index",
        SESSION
        + """await api.playbackSeek({ task_id: "a/b", position: 0.5 });
        await api.mediaOverlayConfig({ task_id: "t" });
        await api.personsSearch({ image: new Blob(["x"]), limit: 3 });
        return [asked];""",
        answers=[ok({})] * 3,
    )

    assert [
        (method, url.removeprefix("https://spoton.test/api/v1/"), body) for method, url, _, body in asked
    ] == [
        ("POST", "tracking/controls/a%2Fb/seek", '{"position":0.5}'),
        ("GET", "media/frames/overlay-config?task_id=t", None),
        ("POST", "tracking/persons/search", ["image", "limit"]),
    ]


def test_a_refused_token_is_renewed_once(modules: Page) -> None:
    data, asked = run(
        modules,
        "index",
        SESSION + "return [await api.authMe(), asked];",
        answers=[
            [401, {"success": False, "error": {"code": "not_authenticated", "message": "No."}}],
            ok("me"),
        ],
    )

    assert data == "me"
    assert [token for _, _, token, _ in asked] == ["Bearer a1", "Bearer a2"]
