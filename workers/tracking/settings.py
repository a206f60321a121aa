"""The tracker's tunables: few, with units, and a reason beside each number."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class TrackerSettings:
    # random acceleration of walking people; larger follows turns more quickly and smooths less (m/s^2)
    acceleration: float = 0.9
    # spread of a new track's velocity: people walk at up to twice this (m/s)
    start_speed: float = 1.2
    # squared Mahalanobis distance beyond which a pair is impossible: true pairs lie within but for boxes of hidden people
    gate: float = 25.0
    # weight of one standard deviation of appearance similarity against squared Mahalanobis distance
    appearance_weight: float = 4.0
    # detections below this score extend tracks but never start one
    start_score: float = 0.4
    # evidence: each camera's hit adds 1, each miss where it should be seen subtracts; the cap forgets the past
    confirm_evidence: float = 3.0
    evidence_cap: float = 6.0
    miss_cost: float = 0.35
    # a confirmed track lives this long without any detection (s)
    coast_s: float = 2.0
    # a track is shown for this long after its last detection (s)
    show_s: float = 0.4
    # two tracks closer than this, never seen apart by one camera for `merge_s`, are one person (m, s)
    merge_m: float = 0.6
    merge_s: float = 1.0
    # a camera's tracklet ends when it has not seen the person for this long (s)
    tracklet_gap_s: float = 2.0
    # two persons' similarity must exceed that of different people by this many standard deviations to be one
    reid_sigmas: float = 2.2
    # people who left may come back under the same identity for this long (s)
    reid_memory_s: float = 900.0
    # nobody walks faster (m/s); bounds where someone can reappear
    fastest: float = 3.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"{field.name} must be above 0, got {value}")
