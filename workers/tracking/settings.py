"""The tracker's tunables: few, with units, and a reason beside each number."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class TrackerSettings:
    # random acceleration of walking people; larger follows turns more quickly and smooths less (m/s^2)
    acceleration: float = 1.0
    # spread of a new track's velocity: people walk at up to twice this (m/s)
    start_speed: float = 1.2
    # squared Mahalanobis distance beyond which a pair is impossible, whatever appearance says
    gate: float = 60.0
    # persons not tracked yet and false boxes per instant, camera and square metre: what a match must beat (1/m^2)
    clutter: float = 0.002
    # share of visible, unhidden persons that a camera's detector finds
    detection_probability: float = 0.85
    # weight of appearance against position; below 1 because similarities of one person are not independent
    appearance_weight: float = 1.0
    # detections below this score extend tracks but never start one
    start_score: float = 0.4
    # evidence (nats) for a track's existence: shown from `confirm` on; the cap lets ghosts die soon
    confirm_evidence: float = 5.0
    evidence_cap: float = 12.0
    # a confirmed track lives this long without any detection (s)
    coast_s: float = 2.0
    # a track is shown for this long after its last detection (s)
    show_s: float = 0.4
    # two tracks closer than this, never seen apart by one camera for `merge_s`, are one person (m, s)
    merge_m: float = 0.6
    merge_s: float = 1.0
    # a camera's tracklet ends when it has not seen the person for this long (s)
    tracklet_gap_s: float = 2.0
    # two looks must be more alike than those of other people by this many deviations to be one person
    reid_sigmas: float = 1.8
    # people who left may come back under the same identity for this long (s)
    reid_memory_s: float = 900.0
    # nobody walks faster (m/s); bounds where someone can reappear
    fastest: float = 3.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 < value < math.inf:
                raise ValueError(f"{field.name} must be above 0 and finite, got {value}")
        for name in ("detection_probability", "start_score"):
            if getattr(self, name) >= 1:
                raise ValueError(f"{name} must be below 1, got {getattr(self, name)}")
        if self.evidence_cap < self.confirm_evidence:
            # nobody would ever be confirmed
            raise ValueError(
                f"evidence_cap must be at least confirm_evidence ({self.confirm_evidence}), got {self.evidence_cap}"
            )
