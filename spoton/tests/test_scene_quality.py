"""How good the whole engine is on a crowded rendered place, without weights, against what it once reached."""

from __future__ import annotations

import pytest

from fixtures.definitions import load_definition
from fixtures.scene import SceneConfig, generate_scene
from spoton.benchmark.rendered import perceive, track
from spoton.benchmark.scenes import quality

CAMERAS = ("c02", "c05")
# (MOTA, IDF1) below what was reached on 2026-12-01: 71.1 and 79.6, 74.2 and 81.4, 78.1 and 83.8. MOTA moves little;
# one exchange of two people who meet takes 4 from IDF1, which says more over many scenes: `manage.py benchmark scenes`
STORED = {"across": (69, 76), "live": (72, 78), "corrected": (76, 80)}


@pytest.fixture(scope="module")
def reached(tmp_path_factory):
    """Scores of two cameras that look at the busiest place of the campus for 15 s."""
    config = SceneConfig(seed=31, people=20, duration_s=15, cameras=CAMERAS)
    scene = generate_scene(load_definition("campus"), config, tmp_path_factory.mktemp("scene") / "scene")
    rows, _ = track(scene, list(perceive(scene)))
    return quality(scene, rows)


@pytest.mark.parametrize("where", STORED)
def test_people_are_followed_as_well_as_they_were(reached, where):
    mota, idf1 = STORED[where]
    assert 100 * reached[where].mota >= mota
    assert 100 * reached[where].idf1 >= idf1
