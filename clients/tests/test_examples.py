"""Every example, as it lies in clients/examples, against the running product."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clients.tests.conftest import EXAMPLES, example
from spoton_client import AsyncSpotOn, SpotOn

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


def test_every_example_is_tried_here() -> None:
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    here = Path(__file__).read_text()

    assert [name for name in sorted(names) if f'"{name}' not in here] == []


def test_examples_are_commands(product: Any) -> None:
    command = [sys.executable, "list_environments.py", product.base_url, product.username, product.password]
    env = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent / "python")}
    done = subprocess.run(command, cwd=EXAMPLES, env=env, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "Signed in as demo." in done.stdout
    assert re.search(r"^campus: .*, \d+ cameras\n  recorded by all of them from 20", done.stdout, re.M)


def test_who_was_where(processed: tuple[str, str]) -> None:
    """The example "who_was_where" made the task of all tests here."""
    first, *people = processed[1].splitlines()
    assert first == f"COMPLETED: {len(people)} people"
    assert len(people) >= 3
    assert all(re.fullmatch(r"[0-9a-f-]{36}:( c\d\d \d+\.\d s,?)+", line) for line in people), people


async def test_follow_task(patient: AsyncSpotOn, capsys: pytest.CaptureFixture[str]) -> None:
    task = await patient.processing_tasks_start(environment_id="campus", pacing="realtime")
    await example("follow_task")(patient, task["task_id"], most=12)
    await patient.processing_tasks_stop(task["task_id"])

    lines = capsys.readouterr().out.splitlines()
    assert len(set(lines)) == 12
    assert lines == sorted(lines), "later and later"
    assert "[" in lines[-1], "somebody is somewhere"


def test_save_pictures(spoton: SpotOn, processed: tuple[str, str], tmp_path: Path) -> None:
    example("save_pictures")(spoton, processed[0], tmp_path)

    pictures = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert pictures.pop("all.webp")[8:12] == b"WEBP"
    assert len(pictures) >= 4
    assert all(picture[:2] == b"\xff\xd8" for picture in pictures.values())


def test_play_back(spoton: SpotOn, processed: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    example("play_back")(spoton, processed[0])

    positions = [int(line.split("%")[0]) for line in capsys.readouterr().out.splitlines()]
    assert 50 <= positions[0] < 75
    assert positions == sorted(positions)
    assert positions[-1] >= 99
    assert spoton.playback_state(processed[0])["state"] == "following"


def test_find_person(
    spoton: SpotOn, product: Any, processed: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    seen = "SELECT person_id FROM tracking_detection WHERE task_id = %s GROUP BY 1 ORDER BY count(*)"
    for (person_id,) in product.rows(seen, processed[0]):
        example("find_person")(spoton, str(person_id))

    told = capsys.readouterr().out
    assert re.search(r"^\d\.\d\d [0-9a-f-]{36}$", told, re.M), "nobody looks like anybody"
    # whether somebody who looks alike may be the same person depends on when they were seen
    alike, merged = re.findall(r"^\d\.\d\d [0-9a-f-]{36}$", told, re.M), told.count("  merged into")
    assert merged + told.count("  not merged: ") == len(alike)
    assert merged == told.count("  and taken back")
    assert bool(merged) == bool(re.search(r"^20\S+ merge by demo$", told, re.M))


def test_a_person_said_to_be_two_is_made_one_again(
    spoton: SpotOn, product: Any, processed: tuple[str, str]
) -> None:
    """What the example asks for when somebody who looks alike may be the same: these two may, whoever they are."""
    most = (
        "SELECT person_id, percentile_disc(0.5) WITHIN GROUP (ORDER BY captured_at) FROM tracking_detection"
        " WHERE task_id = %s GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
    )
    [(person_id, middle)] = product.rows(most, processed[0])
    split = spoton.persons_split(str(person_id), from_=middle.isoformat())
    merged = spoton.persons_merge(str(person_id), with_=split["other_id"], reason="a test")
    kinds = [change["kind"] for change in spoton.persons_history(str(person_id))]
    spoton.person_changes_undo(merged["change_id"])
    spoton.person_changes_undo(split["change_id"])

    assert merged["person_id"] == str(person_id)
    assert {"split", "merge"} <= set(kinds)
    [(after, _)] = product.rows(most, processed[0])
    assert after == person_id
