"""Which detector and embedder a task gets, and why."""

from __future__ import annotations

from pathlib import Path

from workers.detection import choose_detector
from workers.detection import parse_spec as parse_detector
from workers.reid import choose_embedder, parse_embedder_spec


def choose_models(
    detector: str, embedder: str, *, models_dir: Path | None, device: str
) -> tuple[dict[str, str], dict[str, str]]:
    """For detector and embedder each `requested`, `chosen` and `reason`.

    Raises:
        EngineError: a name is unknown; lists those that exist.
    """
    results = []
    for requested, parse, choose in (
        (detector, parse_detector, choose_detector),
        (embedder, parse_embedder_spec, choose_embedder),
    ):
        if parse(requested)[0] == "auto":
            choice = choose(models_dir, device)
            results.append({"requested": requested, "chosen": choice.spec, "reason": choice.reason})
        else:
            results.append({"requested": requested, "chosen": requested, "reason": "asked for"})
    return results[0], results[1]
