"""The engine runs on a bare machine: no Django, no Celery, and no torch until a torch model is built."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EDGE = {"workers.tasks"}


def engine_modules() -> list[str]:
    names = []
    for path in sorted((ROOT / "workers").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if ".tests" not in name and not name.startswith("workers.edge") and name not in EDGE:
            names.append(name)
    return names


def test_engine_imports_neither_django_nor_celery_nor_torch():
    names = engine_modules()
    assert len(names) > 20
    code = (
        f"import importlib, sys; [importlib.import_module(n) for n in {names!r}]; "
        "bad = {'django', 'celery', 'torch', 'open_clip', 'torchvision', 'tracking', 'environments', 'spoton'}"
        " & {m.partition('.')[0] for m in sys.modules}; sys.exit(f'imported {sorted(bad)}' if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        (
            "calibration",
            {"environments", "tracking", "workers", "analytics", "exports", "spoton", "fixtures"},
        ),
        ("environments", {"tracking", "workers", "analytics", "exports", "spoton", "fixtures"}),
        ("tracking", {"workers", "analytics", "exports", "spoton", "fixtures"}),
        ("analytics", {"workers", "exports", "spoton", "fixtures"}),
        ("exports", {"workers", "spoton", "fixtures"}),
        ("workers", {"environments", "analytics", "exports", "spoton", "fixtures"}),
        ("fixtures", {"environments", "tracking", "workers", "analytics", "exports", "spoton"}),
    ],
)
def test_rooms_import_one_way(room, forbidden):
    """DESIGN's arrows: who may know whom. Tests may look everywhere, and so may the engine's edge."""
    import ast

    for path in (ROOT / room).rglob("*.py"):
        if "tests" in path.parts or "edge" in path.parts or "migrations" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            for name in names:
                assert name.partition(".")[0] not in forbidden, f"{path.relative_to(ROOT)} imports {name}"
