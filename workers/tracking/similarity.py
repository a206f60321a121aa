"""What a similarity means: learned from people who are certainly the same and certainly different.

Two detections in one frame of one camera are different people; a detection that only one track could have
caused is the same person as that track. How similar such pairs are says what a similarity is worth for this
embedder, in this light, so that no threshold has to be guessed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workers.compiled import compiled
from workers.tracking.tracks import unit_rows
from workers.tracking.variation import Variation
from workers.tracking.views import has_look

# so many looks have more pairs than `RunningNormal.MEMORY`
ENOUGH = 200


class RunningNormal:
    """Mean and deviation of values seen so far, beginning with a weak prior; old values fade."""

    # so many values the prior is worth, and so many are remembered
    PRIOR, MEMORY = 50.0, 20000.0
    LEAST_DEVIATION = 0.03

    def __init__(self, mean: float, deviation: float, count: float = PRIOR) -> None:
        self.count, self.mean, self.square = count, mean, mean**2 + deviation**2

    @property
    def deviation(self) -> float:
        return float(np.sqrt(max(self.square - self.mean**2, self.LEAST_DEVIATION**2)))

    def learn(self, values: np.ndarray) -> None:
        values = np.asarray(values, float).ravel()
        if len(values) == 0:
            return
        total = self.count + len(values)
        self.mean = float((self.mean * self.count + values.sum()) / total)
        self.square = float((self.square * self.count + (values**2).sum()) / total)
        self.count = min(total, self.MEMORY)

    def log_density(self, values: np.ndarray) -> np.ndarray:
        return -0.5 * ((values - self.mean) / self.deviation) ** 2 - np.log(self.deviation)


class SimilarityScale:
    """Log-likelihood ratios of `same person` against `different people`, for one detection and a track.

    Attributes:
        same, different: similarities of one detection and a track's average look.
    """

    # appearance alone never decides more than this (nats): clothes repeat
    LIMIT = 4.0
    # this share of a person's crops is no more like them than a stranger: half hidden, from behind, in another light
    UNLIKE = 0.1

    def __init__(self) -> None:
        self.same = RunningNormal(0.8, 0.12)
        self.different = RunningNormal(0.55, 0.15)

    def log_ratio(self, similarities: np.ndarray) -> np.ndarray:
        """How much more likely these similarities are for one person than for two (nats)."""
        values = np.ascontiguousarray(similarities, float)
        same, different = self.same, self.different
        normals = same.mean, same.deviation, different.mean, different.deviation
        return _log_ratios(values.ravel(), *normals, self.UNLIKE, self.LIMIT).reshape(values.shape)

    def learn_different(self, looks: np.ndarray) -> None:
        """Learn from (n, d) unit rows of n different people; rows of zeros are nobody's."""
        looks = looks[has_look(looks)]
        if len(looks) >= 2 and looks.shape[1]:
            self.different.learn(_pairs(_some(looks)))

    def to_state(self) -> dict[str, Any]:
        return {name: dict(vars(value)) for name, value in vars(self).items()}

    def restore(self, state: dict[str, Any]) -> None:
        for name, values in state.items():
            vars(getattr(self, name)).update(values)


class LookScale:
    """The same for two average looks: is this newcomer somebody who was here before?

    What everybody here has in common (the light, the embedder's habits) is taken out of both looks first, and what
    varies in one person's looks as well counts for little (see `variation`); together that doubles how far strangers
    and acquaintances lie apart. The more crops an average is made of, the more alike two averages of one person are.

    Attributes:
        centre: (d,) sum of the average looks of everybody so far; people: how many.
        variation: how the looks of one person vary.
        strangers: similarities of people who are there at once, without what is common.
        steady: similarities of what a track looks like in some seconds and what it looked like before.
    """

    LIMIT = 5.0
    # similarity of one person's looks at two visits, by the weight of crops of the lesser known one: measured with the
    # descriptor on rendered scenes, as it is once some hundred looks have taught what varies
    WEIGHTS = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 30.0])
    SAME = np.array([0.42, 0.45, 0.56, 0.66, 0.74, 0.85])
    SPREAD = np.array([0.25, 0.25, 0.22, 0.17, 0.14, 0.12])
    STEADY_LEAST = 0.15
    # density of strangers who are dressed alike
    DOUBLES = 0.02
    # with so few people what is common to them is not known: then it is taken for the average of what embedders show
    FEW = 3.0
    COMMON = 0.6
    # people are remembered in the centre for so many others
    MEMORY = 500.0

    def __init__(self) -> None:
        self.strangers = RunningNormal(0.0, 0.26)
        self.common = RunningNormal(self.COMMON, 0.15)
        self.steady = RunningNormal(0.8, 0.2)
        self.centre = np.zeros(0)
        self.people = 0.0
        self.variation = Variation()

    def similarities(self, looks: np.ndarray, others: np.ndarray) -> np.ndarray:
        """(n, m) similarities of (n, d) unit looks and (m, d) others without what is common, -1..1."""
        return self._as_known(looks @ others.T, self._special(looks) @ self._special(others).T)

    def changes(self, before: np.ndarray, lately: np.ndarray) -> np.ndarray:
        """(n,) similarities of n people's unit looks before and lately, (n, d) each, without what is common."""
        special = (self._special(before) * self._special(lately)).sum(1)
        return self._as_known((before * lately).sum(1), special)

    def _as_known(self, raw: np.ndarray, special: np.ndarray) -> np.ndarray:
        """Similarities, from those of looks as they are and of what is special about them: as far as that is known."""
        # as if the common part were an axis of its own
        roughly = (raw - self.common.mean) / max(1 - self.common.mean, 0.1)
        share = self.people / (self.people + self.FEW)
        return share * special + (1 - share) * roughly

    def _special(self, looks: np.ndarray) -> np.ndarray:
        """(n, d) unit rows: (n, d) looks without what is common to all, and little of what varies in everybody."""
        common = self.centre / self.people if len(self.centre) == looks.shape[1] else 0.0
        return unit_rows(self.variation.calmed(looks - common))

    def log_ratio(self, similarities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(n,) how much more likely these similarities are for one person than for two (nats).

        Args:
            weights: (n,) of crops in the lesser known look of each pair.
        """
        mean, spread = (
            np.interp(weights, self.WEIGHTS, self.SAME),
            np.interp(weights, self.WEIGHTS, self.SPREAD),
        )
        # beyond what is usual for one person, more alike is never less likely the same; below what is usual for two,
        # less alike is never more likely the same
        same = -0.5 * (np.minimum(similarities - mean, 0.0) / spread) ** 2 - np.log(spread)
        others = self.strangers.log_density(np.maximum(similarities, self.strangers.mean))
        # some strangers are dressed alike
        ratio = same - np.logaddexp(others, np.log(self.DOUBLES))
        # an average of less than one good crop tells less
        return np.clip(ratio, -self.LIMIT, self.LIMIT) * np.minimum(weights, 1.0)

    def steady_ratio(self, similarities: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(n,) how much likelier a track looks like this if it still follows the one it followed before (nats).

        Args:
            weights: (n,) of crops in the lesser known look of each pair.
        """
        # people turn and pass through shadows, and few crops tell little: never surer than that
        mean = np.minimum(self.steady.mean, np.interp(weights, self.WEIGHTS, self.SAME))
        spread = max(self.steady.deviation, self.STEADY_LEAST)
        spread = np.maximum(spread, np.interp(weights, self.WEIGHTS, self.SPREAD))
        same = -0.5 * (np.minimum(similarities - mean, 0.0) / spread) ** 2 - np.log(spread)
        others = self.strangers.log_density(np.maximum(similarities, self.strangers.mean))
        self.steady.learn(similarities)
        return np.clip(same - np.logaddexp(others, np.log(self.DOUBLES)), -2 * self.LIMIT, 2 * self.LIMIT)

    def learn_person(self, look: np.ndarray) -> None:
        """Somebody's (d,) unit look: what do all have in common?"""
        if len(self.centre) != len(look):
            self.centre, self.people = np.zeros(len(look)), 0.0
        keep = min(1.0, self.MEMORY / (self.people + 1))
        self.centre, self.people = (self.centre + look) * keep, (self.people + 1) * keep

    def learn_strangers(self, looks: np.ndarray) -> None:
        """(n, d) unit looks of n people who are there at once."""
        if len(looks) < 2 or not looks.shape[1]:
            return
        looks = _some(looks)
        self.common.learn(_pairs(looks))
        special = self._special(looks)
        self.strangers.learn(_above_diagonal(self._as_known(looks @ looks.T, special @ special.T)))

    def to_state(self) -> dict[str, Any]:
        normals = {name: dict(vars(getattr(self, name))) for name in ("strangers", "common", "steady")}
        own = {"centre": self.centre, "people": self.people, "variation": self.variation.to_state()}
        return {**normals, **own}

    def restore(self, state: dict[str, Any]) -> None:
        for name in ("strangers", "common", "steady"):
            vars(getattr(self, name)).update(state[name])
        self.centre, self.people = state["centre"].copy(), state["people"]
        self.variation.restore(state["variation"])


def _some(rows: np.ndarray) -> np.ndarray:
    """At most `ENOUGH` of them, evenly: their pairs are as many as are remembered."""
    return rows[:: 1 + (len(rows) - 1) // ENOUGH]


def _pairs(rows: np.ndarray) -> np.ndarray:
    """(n * (n - 1) / 2,) products of each of (n, d) rows with every later one."""
    return _above_diagonal(rows @ rows.T)


@compiled
def _above_diagonal(matrix: np.ndarray) -> np.ndarray:
    n = len(matrix)
    values, k = np.empty(n * (n - 1) // 2), 0
    for i in range(n):
        for j in range(i + 1, n):
            values[k] = matrix[i, j]
            k += 1
    return values


@compiled
def _log_ratios(similarities, same_mean, same_deviation, different_mean, different_deviation, unlike, limit):
    """(n,) of (n,); see `SimilarityScale.log_ratio`."""
    ratios, usual = np.empty(len(similarities)), np.log(different_deviation / same_deviation)
    for i in range(len(similarities)):
        # beyond the mean of `same`, more similar is never less likely to be the same
        similarity = similarities[i] if similarities[i] < same_mean else same_mean
        same = (similarity - same_mean) / same_deviation
        different = (similarity - different_mean) / different_deviation
        # the mixture with crops that say nothing: no crop says more than that against somebody
        alike = np.exp(usual + 0.5 * (different**2 - same**2))
        ratio = np.log((1 - unlike) * alike + unlike)
        ratios[i] = ratio if ratio < limit else limit
    return ratios
