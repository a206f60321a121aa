"""What a batch adds: rows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from workers.tracking.visits import Person


@dataclass
class BatchTracks:
    """What one batch adds. Rows as tuples, in a fixed order; `person` is the number within the task.

    Attributes:
        detections: (instant, frame, captured_at, camera, track_id, person, box_px (4), score, position_m or None).
        bridged: like detections, for earlier instants: boxes of people who were not sure yet when they were seen,
            and, with score 0 and no position, of people whom a camera overlooked.
        positions: (instant, time_s, person, x_m, y_m, vx, vy, sigma_m), as known at that instant.
        corrected: (instant, time_s, person, x_m, y_m), as known `lag_s` later: smoothed, false alarms left out,
            people shown from their first detection on.
        trajectories: (person, instants, times_s, positions_m (n, 2)), the corrected positions of tracks that closed.
        persons: those seen in this batch.
        looks: those whose appearance is to be written: seen in this batch, or in earlier ones that did not tell.
        renamed: (since, from_person, to_person, cameras): decisions that were revised, to be applied in this order to
            rows of earlier batches: from that instant on, detections of these cameras that were recorded as one person
            are another's; positions and trajectories as well where the cameras are calibrated. Detections and places
            of this batch are renamed already, its trajectories as far as they begin from then on.
        variation: at the end of the task, (k, d) directions in which looks of one person vary, and by what share (k,)
            looks are to be scaled down along them before they are compared; None where nothing is known of that.
    """

    detections: list[tuple] = field(default_factory=list)
    bridged: list[tuple] = field(default_factory=list)
    positions: list[tuple] = field(default_factory=list)
    corrected: list[tuple] = field(default_factory=list)
    trajectories: list[tuple] = field(default_factory=list)
    persons: list[Person] = field(default_factory=list)
    looks: list[Person] = field(default_factory=list)
    renamed: list[tuple] = field(default_factory=list)
    variation: tuple[np.ndarray, np.ndarray] | None = None

    def follow(self, batch: BatchTracks, *, on_map: bool) -> None:
        """Append the next batch's detections and places, after what it has revised about those before it."""
        for since, old, new, cameras in batch.renamed:
            rename_rows(self, since, old, new, cameras, on_map)
        self.detections += batch.detections
        self.bridged += batch.bridged
        self.positions += batch.positions
        self.corrected += batch.corrected


def rename_rows(
    rows: BatchTracks, since: int, old: int, new: int, cameras: tuple[str, ...], on_map: bool
) -> None:
    """Give rows of person `old` from instant `since` on, in these cameras and perhaps on the map, to person `new`."""

    def renamed(row: tuple, place: int) -> tuple:
        if row[0] >= since and row[place] == old:
            return (*row[:place], new, *row[place + 1 :])
        return row

    def moves(row: tuple) -> bool:
        return row[0] >= since and row[5] == old and row[3] in cameras

    # nobody is at two places at once: the track that goes on counts
    taken = {(row[0], row[3]) for boxes in (rows.detections, rows.bridged) for row in boxes if moves(row)}
    for boxes in (rows.detections, rows.bridged):
        kept = [row for row in boxes if row[5] != new or (row[0], row[3]) not in taken]
        boxes[:] = [renamed(row, 5) if row[3] in cameras else row for row in kept]
    if on_map:
        for places in (rows.positions, rows.corrected):
            moved = {row[0] for row in places if row[0] >= since and row[2] == old}
            kept = [row for row in places if row[0] not in moved or row[2] != new]
            places[:] = [renamed(row, 2) for row in kept]
        rows.trajectories[:] = [
            (new, *path[1:]) if path[0] == old and path[1][0] >= since else path for path in rows.trajectories
        ]
