"""Tracking on the ground plane and identities across cameras."""

from workers.compiled import is_compiled
from workers.tracking.tracker import BatchTracks, MultiCameraTracker
from workers.tracking.warm import warm

__all__ = ["BatchTracks", "MultiCameraTracker", "is_compiled", "warm"]
