"""The console's pure modules, run where they are used: in a browser."""

from __future__ import annotations

import json
from itertools import pairwise
from uuid import UUID

import pytest
from playwright.sync_api import Page

from tracking.person_colours import colour_of, short_name

ANNA, BEN = "3f2a8c11-0d6e-4b0f-9a55-1c2d3e4f5061", "b7e94d02-6a1c-4f7e-8d33-90a1b2c3d4e5"

# what both kinds of playout tests need: updates and pictures of instants 100 ms apart
SCENE = """
  const at = (i) => new Date(1767225600000 + i * 100).toISOString();
  const update = (i) => ({ global_frame_index: i, timestamp_captured_utc: at(i), cameras: {} });
  const burst = (playout, first, now, size = 10) => {
    for (let i = 0; i < size; i++) playout.addUpdate(update(first + i), now);
  };
  /** Plays `seconds` at 50 ticks per second; `arrive(tick)` feeds the buffer; returns what was shown. */
  const play = (playout, seconds, arrive, from = 0) => {
    const shown = [];
    for (let tick = 0; tick < seconds * 50; tick++) {
      const now = from + tick * 20;
      arrive(now, tick);
      const changed = playout.tick(now);
      if (!changed) continue;
      const views = [...changed.views].map(([, v]) => [v.index, v.payload.global_frame_index, v.picture]);
      shown.push({ now, index: changed.instant.index, views });
    }
    return shown;
  };
"""


def run(page: Page, module: str, script: str, **values: object) -> object:
    """Evaluate `script` (a function body) with the module's exports as `m` and `values` as constants."""
    constants = "".join(f"const {name} = {json.dumps(value)};" for name, value in values.items())
    return page.evaluate(
        f"async () => {{ const m = await import('/console/{module}.js'); {constants} {script} }}"
    )


# -- colours and names ---------------------------------------------------------------------------------------


def test_a_persons_colour_and_name_depend_on_the_id_alone(modules: Page) -> None:
    colours = run(
        modules, "colours", "return [id, id, id.toUpperCase(), other].map(m.colourOf);", id=ANNA, other=BEN
    )

    assert colours[0] == colours[1] == colours[2]
    assert colours[3] != colours[0]
    assert run(modules, "colours", "return m.nameOf(id);", id=ANNA) == "P-3F2A"
    assert run(modules, "colours", "return [m.nameOf(null), m.colourOf(null)];") == ["unnamed", "#c3ccd4"]


def test_a_person_has_the_same_colour_in_pictures_and_in_the_console(modules: Page) -> None:
    ids = [str(UUID(int=n * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)) for n in range(1, 200)]
    shown = run(modules, "colours", "return ids.map((id) => [m.colourOf(id), m.nameOf(id)]);", ids=ids)

    assert shown == [["#{2:02x}{1:02x}{0:02x}".format(*colour_of(UUID(i))), short_name(UUID(i))] for i in ids]


def test_colours_spread_and_stay_readable_under_dark_text(modules: Page) -> None:
    colours = run(
        modules,
        "colours",
        "return Array.from({ length: 2000 }, (_, i) => m.colourOf(`0000-${i.toString(16)}`));",
    )

    assert len(set(colours)) == 36 * 3
    assert max(colours.count(c) for c in set(colours)) < 3 * 2000 / 108
    assert min(_contrast(colour, "#0b1014") for colour in set(colours)) > 4.5


def _contrast(first: str, second: str) -> float:
    """Contrast ratio as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted([luminance(first), luminance(second)], reverse=True)
    return (high + 0.05) / (low + 0.05)


# -- map -----------------------------------------------------------------------------------------------------


def test_a_fitted_map_shows_its_bounds_with_north_up(modules: Page) -> None:
    corners = run(
        modules,
        "geometry",
        """const view = m.fitView([0, 0, 48, 34], 500, 400);
        return { northWest: m.toScreen(view, [0, 34]), southEast: m.toScreen(view, [48, 0]),
                 back: m.toMap(view, m.toScreen(view, [12.5, 7.25])) };""",
    )

    (left, top), (right, bottom) = corners["northWest"], corners["southEast"]
    assert (left, right) == pytest.approx((12, 488))
    assert 12 <= top < bottom <= 388
    assert top + bottom == pytest.approx(400)
    assert corners["back"] == pytest.approx([12.5, 7.25])


def test_zooming_keeps_the_point_under_the_pointer(modules: Page) -> None:
    before, after = run(
        modules,
        "geometry",
        """const view = m.fitView([0, 0, 48, 34], 500, 400);
        return [m.toMap(view, [100, 300]), m.toMap(m.zoomAt(view, 3, [100, 300]), [100, 300])];""",
    )

    assert after == pytest.approx(before)


def test_the_map_cannot_be_pushed_out_of_sight(modules: Page) -> None:
    left, top, right, bottom = run(
        modules,
        "geometry",
        """const bounds = [0, 0, 48, 34];
        const view = m.panBy(m.fitView(bounds, 500, 400), 1e5, -1e5, bounds, 500, 400);
        return [...m.toScreen(view, [0, 34]), ...m.toScreen(view, [48, 0])];""",
    )

    assert left <= 440
    assert right >= 60
    assert top <= 340
    assert bottom >= 60


@pytest.mark.parametrize(("rotation", "expected"), [(0, [8.0, 25.0]), (90, [9.0, 34.0])])
def test_floor_plan_pixels_land_on_their_metres(
    modules: Page, rotation: float, expected: list[float]
) -> None:
    """Pixel (80, 100) at 20 px/m is 4 m right of and 5 m below the origin (4, 30), before turning."""
    metres = run(
        modules,
        "geometry",
        """const view = m.fitView([0, 0, 48, 34], 500, 400);
        const plan = { origin: [4, 30], pixelsPerMetre: 20, rotationDeg };
        const [a, b, c, d, e, f] = m.planTransform(view, plan);
        return m.toMap(view, [a * 80 + c * 100 + e, b * 80 + d * 100 + f]);""",
        rotationDeg=rotation,
    )

    assert metres == pytest.approx(expected)


# -- people of an instant ------------------------------------------------------------------------------------


def test_people_are_joined_over_cameras(modules: Page) -> None:
    payload = {
        "cameras": {
            "c01": {"tracks": [_track(ANNA, [4, 6], 3.0), _track(BEN, None, 1.0)]},
            "c02": {"tracks": [_track(ANNA, [5, 6], 2.5)]},
        }
    }

    people = run(modules, "instant", "return [...m.peopleOf(payload).values()];", payload=payload)

    assert [(p["id"], p["cameras"], p["position"], p["durationS"]) for p in people] == [
        (ANNA, ["c01", "c02"], [4.5, 6], 3.0),
        (BEN, ["c01"], None, 1.0),
    ]


def test_a_person_behind_something_stays_on_the_map(modules: Page) -> None:
    payload = {
        "cameras": {"c01": {"tracks": []}},
        "persons": [{"global_id": ANNA, "map_coords": [7, 8], "velocity_m_s": [0, 1.2]}],
    }

    person, heading = run(
        modules,
        "instant",
        "const [p] = m.peopleOf(payload).values(); return [p, new m.Trails().heading(p)];",
        payload=payload,
    )

    assert (person["cameras"], person["position"]) == ([], [7, 8])
    assert heading == pytest.approx(1.5708, abs=1e-3)


def _track(person: str, position: list[float] | None, duration: float) -> dict:
    return {
        "track_id": 1,
        "global_id": person,
        "bbox_xyxy": [0, 0, 10, 20],
        "map_coords": position,
        "detection_time": "2026-01-01T00:00:00.000Z",
        "tracking_duration": duration,
    }


def test_trails_are_bounded_and_tell_who_stands(modules: Page) -> None:
    length, walking, standing = run(
        modules,
        "instant",
        """const trails = new m.Trails(6000, 40);
        const walks = { id: "walks" }, stands = { id: "stands" };
        for (let i = 0; i < 300; i++) {
          walks.position = [i * 0.13, 0];
          stands.position = [1, 0.01 * (i % 2)];
          trails.add(i * 100, new Map([["walks", { ...walks }], ["stands", { ...stands }]]));
        }
        return [trails.of("walks").length, trails.heading(walks), trails.heading(stands)];""",
    )

    assert length == 40
    assert walking == pytest.approx(0)
    assert standing is None


# -- playout -------------------------------------------------------------------------------------------------


def test_bursts_are_played_at_the_pace_of_capture(modules: Page) -> None:
    """Ten instants arrive at once every second; they are shown one by one, 100 ms apart, about 1.5 s late."""
    shown = run(
        modules,
        "playout",
        SCENE
        + """const playout = new m.Playout("realtime");
        return play(playout, 20, (now) => now % 1000 === 0 && burst(playout, now / 100, now));""",
    )

    indices = [s["index"] for s in shown]
    assert indices == list(range(indices[0], indices[-1] + 1)), "no instant is skipped or repeated"
    assert indices[-1] > 170
    gaps = [b["now"] - a["now"] for a, b in pairwise(shown[20:])]
    assert max(gaps) <= 140
    assert min(gaps) >= 60
    # instant i is in a burst that arrives at most 0.9 s before its own time
    delays = [s["now"] - s["index"] * 100 for s in shown[20:]]
    assert min(delays) >= 200
    assert max(delays) <= 2000


def test_slow_supply_slows_the_playhead_instead_of_stuttering(modules: Page) -> None:
    """A machine that manages half of real time: shown evenly at half the pace, not second by second."""
    shown = run(
        modules,
        "playout",
        SCENE
        + """const playout = new m.Playout("realtime");
        return play(playout, 60, (now) => now % 2000 === 0 && burst(playout, now / 200, now));""",
    )

    settled = [s["now"] for s in shown if s["now"] > 20_000]
    gaps = [b - a for a, b in pairwise(settled)]
    assert sum(gaps) / len(gaps) == pytest.approx(200, rel=0.15)
    assert max(gaps) < 800


def test_as_fast_as_possible_follows_the_supply_and_stays_bounded(modules: Page) -> None:
    """Twelve times real time: the newest shown stays within seconds of the newest processed."""
    result = run(
        modules,
        "playout",
        SCENE
        + """const playout = new m.Playout("max");
        let most = 0;
        const shown = play(playout, 30, (now, tick) => {
          if (tick % 50 === 0) for (let i = 0; i < 120; i++) {
            playout.addUpdate(update(tick / 50 * 120 + i), now);
            playout.addPicture("c01", tick / 50 * 120 + i, `p${tick / 50 * 120 + i}`);
          }
          most = Math.max(most, playout.instants.length + playout.pictures.get("c01").size);
        });
        return { last: shown.at(-1), count: shown.length, most };""",
    )

    assert result["last"]["index"] > 30 * 120 - 480
    assert result["count"] > 600, "a steady picture, not one per burst"
    assert result["most"] <= 990


def test_a_picture_comes_with_the_boxes_of_its_own_instant(modules: Page) -> None:
    """Pictures of every third instant, half of them after it has passed: each with its own boxes."""
    shown = run(
        modules,
        "playout",
        SCENE
        + """const playout = new m.Playout("realtime");
        const picture = (index) => playout.addPicture("c01", index, `picture ${index}`);
        return play(playout, 24, (now) => {
          const second = Math.floor(now / 1000);
          if (now % 1000 !== 0) return;
          burst(playout, 10 * second, now);
          // two seconds of pictures in time, then two seconds of pictures that are three seconds late
          const late = second - 3;
          for (let i = 0; i < 10; i += 3) {
            if (second % 8 < 2) picture(10 * second + i);
            if ([3, 4].includes(late % 8)) picture(10 * late + i);
          }
        });""",
    )

    views = [(view, s["index"]) for s in shown for view in s["views"]]
    assert all(index == own and picture == f"picture {index}" for (index, own, picture), _ in views)
    assert any(current > index + 2 for (index, _, _), current in views), "some were late"
    assert any(current == index for (index, _, _), current in views), "some were not"
    indices = [index for (index, _, _), _ in views]
    assert indices == sorted(set(indices)), "never back, never twice"


def test_pictures_without_updates_do_not_pile_up(modules: Page) -> None:
    size = run(
        modules,
        "playout",
        """const playout = new m.Playout("realtime");
        for (let i = 0; i < 5000; i++) { playout.addPicture("c01", i, "p"); playout.tick(i * 10); }
        return playout.pictures.get("c01").size;""",
    )

    assert size <= 90


def test_a_page_in_the_background_does_not_pile_up_updates(modules: Page) -> None:
    """Browsers stop animation there, so nothing is taken out; on return the newest is shown soon."""
    size, index = run(
        modules,
        "playout",
        SCENE
        + """const playout = new m.Playout("realtime");
        play(playout, 4, (now) => now % 1000 === 0 && burst(playout, now / 100, now));
        for (let now = 4000; now < 300000; now += 1000) burst(playout, now / 100, now);
        const size = playout.instants.length;
        return [size, play(playout, 1, () => {}, 300000).at(-1).index];""",
    )

    assert size <= 900
    assert index > 2950


def test_the_end_is_played_out_and_a_jump_back_restarts(modules: Page) -> None:
    last, after = run(
        modules,
        "playout",
        SCENE
        + """const playout = new m.Playout("realtime");
        for (let i = 600; i < 605; i++) playout.addUpdate(update(i), 0);
        playout.end();
        const first = play(playout, 2, () => {});
        for (let i = 0; i < 20; i++) playout.addUpdate(update(i), 2000);
        const second = play(playout, 6, () => {}, 2000);
        return [first.at(-1).index, second.at(-1).index];""",
    )

    assert (last, after) == (604, 19)
