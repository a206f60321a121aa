"""Several explanations of what happened, until time tells which is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workers.mapping.smoothing import History, Step
from workers.tracking.tracks import Tracks

# hypotheses whose people all stand within this distance of each other have become one (m)
SAME_M = 0.08


@dataclass
class Hypothesis:
    """One explanation.

    Attributes:
        tracks: who is there; history: the filter's past.
        close_pairs: how long two tracks have been too close to be two people, by their numbers (s).
        log_weight: log-likelihood against the best hypothesis (nats).
        closest: how near two tracks have come to each other in a meeting that goes on, by their numbers (m).
    """

    tracks: Tracks
    history: History
    close_pairs: dict[tuple[int, int], float] = field(default_factory=dict)
    log_weight: float = 0.0
    closest: dict[tuple[int, int], float] = field(default_factory=dict)

    def is_same(self, other: Hypothesis) -> bool:
        """Whether the two tell the same of now."""
        if not np.array_equal(self.tracks.number, other.tracks.number):
            return False
        gap = np.abs(self.tracks.mean[:, :2] - other.tracks.mean[:, :2])
        return bool(gap.max(initial=0.0) < SAME_M)


def best_distinct(hypotheses: Sequence[Hypothesis], heirs: Sequence[bool], stay: float) -> list[int]:
    """The hypotheses that differ, the one to show first, then the likeliest; of those that tell the same one stays.

    Args:
        heirs: which of them go on with what was shown before.
        stay: another must be likelier by this much (nats) before it is shown instead: who is undecided stays.
    """
    weights = [h.log_weight + stay * heir for h, heir in zip(hypotheses, heirs, strict=True)]
    chosen: list[int] = []
    for i in sorted(range(len(hypotheses)), key=lambda i: -weights[i]):
        if not any(hypotheses[i].is_same(hypotheses[k]) for k in chosen):
            chosen.append(i)
    return chosen


def likeliest(assigned: np.ndarray, totals: np.ndarray, most: int, within: float) -> list[tuple[int, int]]:
    """The best pairs of a hypothesis and one of its assignments.

    Args:
        assigned: (H, R, M); totals: (H, R) log-likelihoods.
        most: at most so many pairs; within: none that is worse than the best by more than this (nats).

    Returns:
        (h, r) pairs, the best first; of equal assignments of one hypothesis only one.
    """
    result: list[tuple[int, int]] = []
    kept: set[tuple[int, bytes]] = set()
    for flat in np.argsort(-totals, axis=None, kind="stable"):
        h, r = divmod(int(flat), totals.shape[1])
        if totals[h, r] < totals.max() - within or len(result) == most:
            break
        key = (h, assigned[h, r].tobytes())
        if key not in kept:
            kept.add(key)
            result.append((h, r))
    return result


def follow(hypotheses: list[Hypothesis]) -> None:
    """Bring the others in line with what was written down of the first, the best: its past and its persons."""
    best, others = hypotheses[0], hypotheses[1:]
    if not others:
        return
    begin = best.history.steps[0].instant if len(best.history) else None
    person_of = {
        n: p for n, p in zip(best.tracks.number.tolist(), best.tracks.person.tolist(), strict=True) if p >= 0
    }
    number_of = {p: n for n, p in person_of.items()}
    for other in others:
        steps = other.history.steps
        while steps and (begin is None or steps[0].instant < begin):
            steps.popleft()
        tracks = other.tracks
        for i, number in enumerate(tracks.number.tolist()):
            tracks.person[i] = person_of.get(number, tracks.person[i])
        present = set(tracks.number.tolist())
        # somebody who was recognised in another track meanwhile is not there twice
        twice = [
            number_of.get(p, n) != n and number_of[p] in present
            for n, p in zip(tracks.number.tolist(), tracks.person.tolist(), strict=True)
        ]
        if any(twice):
            tracks.keep(~np.array(twice))


def to_state(hypotheses: Sequence[Hypothesis]) -> dict[str, Any]:
    """Steps that hypotheses share are stored once."""
    steps: dict[int, tuple[int, Step]] = {}
    for hypothesis in hypotheses:
        for step in hypothesis.history.steps:
            steps.setdefault(id(step), (len(steps), step))
    return {
        "steps": [dict(vars(step)) for _, step in steps.values()],
        "hypotheses": [
            {
                "tracks": h.tracks.to_state(),
                "history": [steps[id(step)][0] for step in h.history.steps],
                "close_pairs": [[*pair, seconds] for pair, seconds in h.close_pairs.items()],
                "log_weight": h.log_weight,
                "closest": [[*pair, gap] for pair, gap in h.closest.items()],
            }
            for h in hypotheses
        ],
    }


def from_state(state: dict[str, Any]) -> list[Hypothesis]:
    steps = [
        Step(**{k: v.copy() if isinstance(v, np.ndarray) else v for k, v in step.items()})
        for step in state["steps"]
    ]
    return [
        Hypothesis(
            Tracks(**{k: v.copy() for k, v in h["tracks"].items()}),
            History.of(steps[i] for i in h["history"]),
            {(a, b): seconds for a, b, seconds in h["close_pairs"]},
            h["log_weight"],
            {(a, b): gap for a, b, gap in h["closest"]},
        )
        for h in state["hypotheses"]
    ]
