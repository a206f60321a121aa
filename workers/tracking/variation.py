"""How the looks of one person vary: learned from those who are followed.

Light, pose and the side that a camera shows move what an embedder says of one person, in some directions far more than
in others. Where two looks differ in those directions, that says little about whether they are two people's. So such
directions are scaled down before looks are compared: within-class covariance normalisation (Hatch, Kajarekar and
Stolcke, Within-class covariance normalization for SVM-based speaker recognition, Interspeech 2006). Classes are people
who are followed, so nobody has to label anything. Of the covariance the strongest directions are kept, and how much is
left in all others; both grow with what is seen (incremental principal components: Ross, Lim, Lin and Yang, Incremental
learning for robust visual tracking, IJCV 77, 2008).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from workers.compiled import compiled
from workers.tracking.tracks import unit_rows
from workers.tracking.views import add_looks

# crops of so long (s) make one look of a person in a camera, where they have at least so much weight
SPAN_S, LEAST_WEIGHT = 2.0, 2.0
# it is compared with the mean of about so many before it, of all cameras
MEAN_OF = 8
# A look that differs by more than so many times the usual (squared) may be of somebody else, to whom the track has gone
# over: that is found out within this time (s), and until then nothing is learned from it. Else their difference would
# count as what varies in one person, and the two would never be told apart.
UNUSUAL, FOUND_OUT_S = 3.0, 4.0
# so many directions are kept, those in which looks vary most
DIRECTIONS = 48
# in every direction looks may vary by so many times what is the average of all; the fewer looks are known, the more
ANYWHERE, PRIOR = 5.0, 30.0
# so many looks are remembered, and of a crowd's at most so many learned from at once
MEMORY, AT_ONCE = 2000.0, 200


class Variation:
    """What varies in looks of one and the same person.

    Attributes:
        directions: (k, d) float32 orthonormal rows; strengths: (k,) sum of squares along each, over all looks.
        rest: sum of squares in all other directions; count: of looks.
    """

    def __init__(self) -> None:
        self.directions, self.strengths = np.zeros((0, 0), np.float32), np.zeros(0)
        self.rest, self.count = 0.0, 0.0

    def usual(self) -> float:
        """By how much (squared) a look differs on average; 0 where nothing is known."""
        return float(self.strengths.sum() + self.rest) / self.count if self.count else 0.0

    def less(self) -> np.ndarray:
        """(k,) 0..1, by what share looks are to be scaled down along each of the directions."""
        if not len(self.strengths):
            return np.zeros(0)
        average = (self.strengths.sum() + self.rest) / self.directions.shape[1]
        anywhere = ANYWHERE * average * (1 + PRIOR / self.count)
        return 1 - np.sqrt(anywhere / (anywhere + self.strengths))

    def calmed(self, looks: np.ndarray) -> np.ndarray:
        """(n, d) looks, their parts along what varies scaled down; looks that are compared must all be."""
        if not len(self.strengths) or self.directions.shape[1] != looks.shape[1]:
            return looks
        return looks - (looks @ self.directions.T * self.less()) @ self.directions

    def learn(self, differences: np.ndarray) -> None:
        """Take (m, d) differences of looks of one person each, scaled to variance: see `Followed.differences`."""
        if not differences.any():
            return
        differences = differences[:: 1 + (len(differences) - 1) // AT_ONCE]
        if self.directions.shape[1] != differences.shape[1]:
            self.directions, self.strengths = np.zeros((0, differences.shape[1]), np.float32), np.zeros(0)
            self.rest, self.count = 0.0, 0.0
        # of what was known its strongest directions stand for all
        rows = np.concatenate([np.sqrt(self.strengths)[:, None] * self.directions, differences])
        squares, mixtures = np.linalg.eigh(rows @ rows.T)
        strongest = np.argsort(-squares, kind="stable")[:DIRECTIONS]
        strongest = strongest[squares[strongest] > 1e-9 * squares[strongest[0]]]
        kept = squares[strongest]
        self.directions = (mixtures[:, strongest].T @ rows / np.sqrt(kept)[:, None]).astype(np.float32)
        total = self.count + len(differences)
        fading = min(1.0, MEMORY / total)
        self.rest = (self.rest + max(squares.sum() - kept.sum(), 0.0)) * fading
        self.strengths, self.count = kept * fading, total * fading

    def to_state(self) -> dict[str, Any]:
        return dict(vars(self))

    def restore(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


class Followed:
    """What those who are followed look like in each camera, some seconds at a time."""

    def __init__(self) -> None:
        self.since_s = -np.inf
        # per camera: (n,) numbers of tracks, ascending, (n, d) weighted sums of their embeddings, (n,) the weights
        self._crops: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
        # per track: (d,) mean of its looks so far, and of how many
        self._means: dict[int, tuple[np.ndarray, int]] = {}
        # (time, track, (d,) float32 difference) of looks that may turn out to be somebody else's, in order
        self._held: list[tuple[float, int, np.ndarray]] = []

    def see(
        self, camera: str, tracks: np.ndarray, numbers: np.ndarray, embeddings: np.ndarray, quality: np.ndarray
    ) -> None:  # fmt: skip
        """One camera's boxes at one instant.

        Args:
            tracks: (n,) numbers of all tracks, ascending; numbers: (m,) the track of each box, or -1.
            embeddings: (m, d) unit rows; quality: (m,).
        """
        if not embeddings.size:
            return
        nothing = tracks[:0], np.zeros((0, embeddings.shape[1]), np.float32), np.zeros(0)
        known = self._crops.get(camera, nothing)
        if not _includes(known[0], tracks):
            known = _with_tracks(known, tracks)
        self._crops[camera] = known
        add_looks(known[0], numbers, embeddings, quality, known[1], known[2])

    def differences(self, time_s: float, followed: Collection[int], usual: float) -> np.ndarray | None:
        """Every `SPAN_S` (m, d) by how much what tracks look like since then differs from what they did before.

        Unusual ones are told `FOUND_OUT_S` later, if the track still follows the same person then. Scaled such that the
        mean square of independent looks of one person is their variance (Welford, 1962).

        Args:
            followed: numbers of the tracks that count.
            usual: mean square of such differences so far.
        """
        if time_s - self.since_s < SPAN_S:
            return None
        self.since_s = time_s
        for _, (numbers, sums, weights) in sorted(self._crops.items()):
            looks = unit_rows(sums.astype(float))
            for i in np.flatnonzero(weights >= LEAST_WEIGHT).tolist():
                number = int(numbers[i])
                if number in followed:
                    self._compare(number, looks[i], time_s)
        self._crops.clear()
        self._means = {number: known for number, known in self._means.items() if number in followed}
        due, self._held = _parted(self._held, time_s, UNUSUAL * usual)
        return np.stack(due).astype(float) if due else None

    def _compare(self, track: int, look: np.ndarray, time_s: float) -> None:
        """A track's (d,) look of one camera with those before."""
        mean, n = self._means.get(track, (look, 0))
        if n:
            self._held.append((time_s, track, ((look - mean) * np.sqrt(n / (n + 1))).astype(np.float32)))
        self._means[track] = (mean + (look - mean) / (n + 1)).astype(np.float32), min(n + 1, MEAN_OF)

    def forget(self, track: int) -> None:
        """The track has gone over to somebody else."""
        self._means.pop(track, None)
        self._held = [held for held in self._held if held[1] != track]

    def to_state(self) -> dict[str, Any]:
        return {
            "since_s": self.since_s,
            "crops": {camera: list(known) for camera, known in self._crops.items()},
            "means": [[number, *known] for number, known in self._means.items()],
            "held": [list(held) for held in self._held],
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.since_s = state["since_s"]
        # added to in place
        self._crops = {camera: tuple(v.copy() for v in known) for camera, known in state["crops"].items()}
        self._means = {number: (mean, n) for number, mean, n in state["means"]}
        self._held = [(then_s, track, row) for then_s, track, row in state["held"]]


def _parted(
    held: list[tuple[float, int, np.ndarray]], time_s: float, most: float
) -> tuple[list[np.ndarray], list[tuple[float, int, np.ndarray]]]:
    """The differences that may be learned from now, those of this moment if at most so large, and what is left."""
    due, left = [], []
    for one in held:
        then_s, _, row = one
        sure = float(row @ row) <= most if then_s == time_s else False
        if sure or then_s <= time_s - FOUND_OUT_S:
            due.append(row)
        else:
            left.append(one)
    return due, left


@compiled
def _includes(numbers: np.ndarray, others: np.ndarray) -> bool:
    """Whether all of others are among (n,) ascending numbers."""
    for other in others:
        i = np.searchsorted(numbers, other)
        if i == len(numbers) or numbers[i] != other:
            return False
    return True


def _with_tracks(
    known: tuple[np.ndarray, np.ndarray, np.ndarray], tracks: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums and weights of these tracks as well."""
    numbers, sums, weights = known
    both = np.union1d(numbers, tracks)
    rows = np.searchsorted(both, numbers)
    more = both, np.zeros((len(both), sums.shape[1]), sums.dtype), np.zeros(len(both))
    more[1][rows], more[2][rows] = sums, weights
    return more
