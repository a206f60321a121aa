"""The tracker's tunables: with units, and a reason beside each number."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class TrackerSettings:
    # -- people
    # spread of each component of a walking velocity (m/s), and how long people keep one (s): at first, worth so many
    # turns of people who were watched for two seconds
    speed: float = 0.94
    turn_s: float = 7.0
    turn_prior: float = 50.0
    # adults with shoes and gait (m)
    height_m: float = 1.70
    height_sigma_m: float = 0.10
    # -- boxes: deviations of middle, feet and head as shares of the figure's height, and in pixels
    noise_middle: float = 0.07
    noise_feet: float = 0.04
    noise_head: float = 0.05
    noise_px: float = 1.5
    # so many boxes those deviations are worth, before a camera's own boxes tell better
    noise_prior: float = 100.0
    # a detector errs the same way for about this long (s): frames in quick succession tell
    # less than they seem to
    noise_memory_s: float = 0.16
    # this share of boxes is off by this many times more
    slipped: float = 0.02
    slipped_scale: float = 3.3
    # share of boxes that end above the feet, for a person in full view and for a hidden one
    feet_cut: float = 0.01
    feet_cut_hidden: float = 0.55
    # boxes of nobody and of people not tracked yet, per camera and instant, in a volume of one figure's height in
    # each of the three edges: what a match must beat
    clutter: float = 0.6
    # how much a detector's own doubt counts (nats per nat of log odds)
    score_weight: float = 0.9
    # detections below this score extend tracks but never start one
    start_score: float = 0.4
    # weight of appearance against position; below 1 because similarities of one person are not independent
    appearance_weight: float = 1.0
    # -- association
    # cameras are gone through this often, each against what the others say
    sweeps: int = 3
    # explanations are kept until they are this much less likely than the best (nats), at most so many, and each is
    # sought from so many starts
    hypotheses: int = 5
    starts: int = 8
    hypothesis_nats: float = 12.0
    # two who met may have exchanged all boxes, if that is at most this much less likely at first (nats)
    exchange_nats: float = 25.0
    # another explanation is shown when it is this much likelier than the present one (nats)
    stay_nats: float = 6.0
    # a newcomer must explain this much (nats) before it makes a hypothesis likelier
    birth_nats: float = 2.0
    # nobody walks through anybody: what a meeting costs whose closest distance is 0 (nats), and the distance at which
    # it costs six tenths of that (m): half of how far apart the middles of two people are who brush past each other
    repulsion: float = 8.0
    body_m: float = 0.2
    # -- existence: evidence in nats, shown from `confirm` on; the cap lets ghosts die soon
    confirm: float = 3.0
    evidence_cap: float = 4.0
    lost: float = -4.0
    # boxes of somebody in more doubt than this (nats) do not show that they are there
    seen_evidence: float = 0.5
    # a track that is nobody finds a box this often
    chance: float = 0.1
    # a box counts fully for who explains it this much better than the next (nats)
    own_nats: float = 5.0
    # evidence of a single camera's first box
    first_box: float = 1.6
    # on the map, somebody whose head is beyond the image's upper border is born only where so much of them is inside:
    # a hedge or a car that hides the feet of what is left moves them by metres, and nothing contradicts
    birth_share: float = 0.6
    # frames this close together (s) are one opinion about existence
    evidence_memory_s: float = 0.3
    # existence is doubted this much per second without any box (nats/s)
    doubt: float = 0.3
    # a camera is blind for a certain person with this probability, and for about so long (s)
    blind: float = 0.05
    blind_s: float = 4.0
    # nobody is born within somebody: what that costs at distance 0 (nats)
    birth_repulsion: float = 6.3
    # two tracks closer than this, never seen apart by one camera for `merge_s`, are one person (m, s)
    merge_m: float = 0.45
    merge_s: float = 0.95
    # a confirmed track lives this long without any detection, one that is not yet confirmed this long (s)
    coast_s: float = 1.5
    tentative_s: float = 0.8
    # somebody who should be found with this probability but is not is still shown for so long (s)
    hidden: float = 0.6
    overlooked_s: float = 0.3
    # positions are corrected by what the following seconds show (s)
    lag_s: float = 1.0
    # -- identity
    # a camera's tracklet ends when it has not seen the person for this long (s)
    tracklet_gap_s: float = 2.0
    # where a camera overlooks somebody for at most this long, the boxes in between are drawn in (s)
    bridge_s: float = 1.0
    # people who left may come back under the same identity for this long (s); 0: they come back as somebody new
    reid_memory_s: float = 900.0
    # nobody walks faster (m/s); bounds where someone can reappear
    fastest: float = 3.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value):
                raise ValueError(f"{field.name} must be finite, got {value}")
            if field.name not in ("lost", "seen_evidence", "lag_s", "reid_memory_s") and value <= 0:
                raise ValueError(f"{field.name} must be above 0, got {value}")
        for name in ("start_score", "slipped", "feet_cut", "feet_cut_hidden", "chance", "blind"):
            if getattr(self, name) >= 1:
                raise ValueError(f"{name} must be below 1, got {getattr(self, name)}")
        if self.birth_share > 1:
            # nobody would ever be born at an upper border
            raise ValueError(f"birth_share must be at most 1, got {self.birth_share}")
        for name in ("lag_s", "reid_memory_s"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.lost >= 0:
            raise ValueError(f"lost must be below 0, got {self.lost}")
        if self.evidence_cap < self.confirm:
            # nobody would ever be confirmed
            raise ValueError(
                f"evidence_cap must be at least confirm ({self.confirm}), got {self.evidence_cap}"
            )
