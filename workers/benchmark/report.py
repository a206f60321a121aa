"""What benchmarks give: figures with their goal, as a table for people and as JSON for comparison."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

# whose versions decide how fast something is
PACKAGES = ("numpy", "numba", "opencv-python-headless", "onnxruntime", "onnxruntime-gpu", "faiss-cpu", "torch",
            "cupy-cuda13x", "av", "django", "psycopg")  # fmt: skip


@dataclass(frozen=True)
class Report:
    """The figures of one benchmark.

    Attributes:
        title: what was measured, with sizes.
        rows: one dictionary per line of the table; the keys are the columns, with units.
        goal: what was to be reached, empty if nothing was.
        note: why there are no figures, or what to know about them.
    """

    title: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    goal: str = ""
    note: str = ""

    def table(self) -> Table:
        table = Table(title=self.title, title_justify="left", caption=self.caption(), caption_justify="left")
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        for name in columns:
            numbers = all(isinstance(row.get(name, 0), int | float) for row in self.rows)
            table.add_column(name, justify="right" if numbers else "left")
        for row in self.rows:
            table.add_row(*(_shown(row.get(name, "")) for name in columns))
        return table

    def caption(self) -> str:
        return ". ".join(part for part in (self.goal and f"Goal: {self.goal}", self.note) if part)


def show(reports: Sequence[Report], console: Console) -> None:
    """Print tables; a benchmark without figures is one line."""
    for report in reports:
        if report.rows:
            console.print(report.table(), highlight=False)
        else:
            console.print(f"{report.title}: {report.note}", highlight=False)


def write_json(path: Path, reports: Sequence[Report]) -> None:
    """Figures with everything that is needed to compare them with others."""
    content = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "reports": [asdict(report) for report in reports],
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def machine() -> dict[str, Any]:
    """Processor, cores, memory and GPUs."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(pages / 2**30, 1),
        "threads": int(os.environ.get("OMP_NUM_THREADS") or 0),
        "gpu": gpu_name() or "none",
        "system": platform.platform(),
    }


def versions() -> dict[str, str]:
    """Of Python and of the packages that are installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def gpu_name() -> str | None:
    """The first CUDA device as torch sees it; None without torch or without a GPU."""
    try:
        import torch
    except ImportError:
        return None
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _shown(value: Any) -> str:
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"
