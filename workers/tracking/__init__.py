"""Tracking on the ground plane and identities across cameras."""

from workers.tracking.tracker import BatchTracks, MultiCameraTracker
from workers.tracking.warm import warm

__all__ = ["BatchTracks", "MultiCameraTracker", "warm"]
