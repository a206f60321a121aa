"""Tracking on the ground plane and identities across cameras."""

from workers.tracking.tracker import BatchTracks, MultiCameraTracker

__all__ = ["BatchTracks", "MultiCameraTracker"]
