"""What the cameras of one plane are expected to show of the tracks, and what each camera's detector is like.

A detector's habits (boxes that are always a little too far to the right, people it overlooks) are learned while
it is used, from people about whom the other cameras leave no doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from workers.mapping.kalman import inverse_3x3
from workers.mapping.projection import Noise, PersonProjection
from workers.tracking.settings import TrackerSettings

# visible shares of a person for which detection rates are kept, and the rates before anything is learned
VISIBLE = np.array([0.05, 0.25, 0.5, 0.7])
USUAL_RATES = 0.92 * np.array([0.31, 0.66, 0.95, 1.0])
BETWEEN = (VISIBLE[1:] + VISIBLE[:-1]) / 2
# so many people the usual rates are worth, and so many are remembered
RATE_PRIOR, RATE_MEMORY = 130.0, 3000.0
# boxes are rarely off by more than a few per cent of a figure's height; neighbours in time are hardly independent
BIAS_SIGMA, BIAS_DEPENDENCE = 0.03, 3.7
# larger errors than this (shares of the height) are not a habit
BIAS_LIMIT = 0.25
# feet are seen from this visible share on, and hidden up to that one
FEET_SEEN, FEET_HIDDEN = 0.75, 0.15


@dataclass(frozen=True)
class Sight:
    """What one camera should see of n persons.

    Attributes:
        rows: (n,) which persons are in its view.
        edges_px, scale_px, boxes_px: as in `Figures`.
        jacobian: (n, 3, 3) derivative of the edges by x, y, height in units of the figure's height.
        variances: (n, 3) of the edges in the same unit.
        visible: (n,) 0..1 of the figure inside the image and behind nobody.
        rate: (n,) how probably the detector finds it.
        feet_cut: (n,) how probably the box ends above the feet.
    """

    rows: np.ndarray
    edges_px: np.ndarray
    scale_px: np.ndarray
    boxes_px: np.ndarray
    jacobian: np.ndarray
    variances: np.ndarray
    visible: np.ndarray
    rate: np.ndarray
    feet_cut: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def only(self, chosen: np.ndarray) -> Sight:
        return Sight(*(value[chosen] for value in vars(self).values()))


class CameraBank:
    """The cameras of one plane.

    Attributes:
        bias: (C, 3) mean error of a box's edges, as shares of the figure's height; bias_weight: (C, 3).
        found, tried: (C, 4) how often people this visible were found, of how many.
    """

    def __init__(self, projection: PersonProjection, settings: TrackerSettings) -> None:
        self.projection = projection
        self.settings = settings
        self.noise = Noise(settings.noise_middle, settings.noise_feet, settings.noise_head, settings.noise_px)
        C = len(projection)
        self.bias, self.bias_weight = np.zeros((C, 3)), np.zeros((C, 3))
        self.found, self.tried = np.zeros((C, len(VISIBLE))), np.zeros((C, len(VISIBLE)))

    def persons(self, cameras: np.ndarray, boxes_px: np.ndarray):
        """See `PersonProjection.persons`."""
        return self.projection.persons(cameras, boxes_px, self.noise, self.bias[cameras])

    def sights(
        self, cameras: np.ndarray, persons: np.ndarray, others: np.ndarray | None = None
    ) -> list[Sight]:
        """What each of some cameras should see of (n, 3) persons, who hide one another.

        Args:
            others: (k, 3) people who hide them instead.
        """
        n, among = len(persons), others is None
        everybody = persons if among else np.concatenate([persons, others])
        index = np.repeat(cameras, len(everybody))
        figures = self.projection.figures(index, np.tile(everybody, (len(cameras), 1)), self.bias[index])
        shape = (len(cameras), len(everybody))
        boxes = figures.boxes_px.reshape(*shape, 4)
        share, depth = figures.share.reshape(shape), figures.depth.reshape(shape)
        edges, scale = figures.edges_px.reshape(*shape, 3), figures.scale_px.reshape(shape)
        jacobian = figures.jacobian.reshape(*shape, 3, 3)
        result = []
        for k, camera in enumerate(cameras):
            rows = np.flatnonzero(share[k, :n] > 0)
            by = rows if among else n + np.flatnonzero(share[k, n:] > 0)
            visible = share[k, rows] * (
                1 - hidden_share(boxes[k, rows], depth[k, rows], boxes[k, by], depth[k, by])
            )
            height = scale[k, rows]
            result.append(
                Sight(
                    rows=rows,
                    edges_px=edges[k, rows],
                    scale_px=height,
                    boxes_px=boxes[k, rows],
                    jacobian=jacobian[k, rows] / height[:, None, None],
                    variances=self.noise.variances(height),
                    visible=visible,
                    rate=self.rate(camera, visible),
                    feet_cut=np.interp(
                        visible,
                        [FEET_HIDDEN, FEET_SEEN],
                        [self.settings.feet_cut_hidden, self.settings.feet_cut],
                    ),
                )
            )
        return result

    def rate(self, camera: int, visible: np.ndarray) -> np.ndarray:
        """How probably a person of whom this share shows is found."""
        rates = (USUAL_RATES * RATE_PRIOR + self.found[camera]) / (RATE_PRIOR + self.tried[camera])
        return np.interp(visible, VISIBLE, np.clip(rates, 0.01, 0.99))

    def learn_rate(self, camera: int, visible: np.ndarray, found: np.ndarray) -> None:
        """Learn from (n,) people who are certainly there: how visible they were, and whether they were found."""
        bins = np.searchsorted(BETWEEN, visible)
        self.tried[camera] += np.bincount(bins, minlength=len(VISIBLE))
        self.found[camera] += np.bincount(bins, weights=found, minlength=len(VISIBLE))
        fade = np.minimum(1.0, RATE_MEMORY / np.maximum(self.tried[camera], 1.0))
        self.tried[camera] *= fade
        self.found[camera] *= fade

    def learn_bias(
        self, camera: int, sight: Sight, edges_px: np.ndarray, shift: np.ndarray, covariance: np.ndarray
    ) -> None:
        """Learn from n people whose place the other cameras know.

        Args:
            edges_px: (n, 3) of their boxes in this camera.
            shift: (n, 3) where the others see them, relative to what `sight` was made for; covariance: (n, 3, 3).
        """
        expected = sight.edges_px / sight.scale_px[:, None] + np.einsum("nij,nj->ni", sight.jacobian, shift)
        error = edges_px / sight.scale_px[:, None] - expected
        spread = np.einsum("nij,njk,nik->ni", sight.jacobian, covariance, sight.jacobian) + sight.variances
        # robust: a box that is far off counts less
        weight = (np.abs(error) < BIAS_LIMIT) / (1 + error**2 / spread / 4) / spread / BIAS_DEPENDENCE
        self.bias_weight[camera] += weight.sum(0)
        self.bias[camera] += (weight * error).sum(0) / (1 / BIAS_SIGMA**2 + self.bias_weight[camera])

    def to_state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("bias", "bias_weight", "found", "tried")}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        for name, value in state.items():
            setattr(self, name, value.copy())


def hidden_share(
    boxes_px: np.ndarray, depth: np.ndarray, others_px: np.ndarray, others_depth: np.ndarray
) -> np.ndarray:
    """(n,) 0..1 of each of (n, 4) boxes that is covered by those of (m, 4) others who stand nearer."""
    if len(boxes_px) == 0 or len(others_px) == 0:
        return np.zeros(len(boxes_px))
    width = np.minimum(boxes_px[:, None, 2], others_px[None, :, 2]) - np.maximum(
        boxes_px[:, None, 0], others_px[None, :, 0]
    )
    height = np.minimum(boxes_px[:, None, 3], others_px[None, :, 3]) - np.maximum(
        boxes_px[:, None, 1], others_px[None, :, 1]
    )
    area = np.maximum((boxes_px[:, 2] - boxes_px[:, 0]) * (boxes_px[:, 3] - boxes_px[:, 1]), 1e-9)
    shares = np.minimum(np.clip(width, 0, None) * np.clip(height, 0, None) / area[:, None], 1.0)
    nearer = others_depth[None, :] < depth[:, None] - 0.01
    # people in front hide independently of one another
    return 1 - np.prod(np.where(nearer, 1 - shares, 1.0), axis=1)


def where_others_see(
    precision: np.ndarray, information: np.ndarray, pull: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Place relative to the prediction and its covariance, from the prediction and some cameras' information.

    Args:
        precision: (n, 3, 3) inverse covariance of the prediction; information, pull: (n, 3, 3) and (n, 3).
    """
    covariance, _ = inverse_3x3(precision + information)
    return np.einsum("nij,nj->ni", covariance, pull), covariance
