"""What is kept only to be quick: all of it can be made again."""

from __future__ import annotations

from environments.redis import redis_client
from tracking import frames, single_flight
from tracking.models import ProcessingTask

# by what their keys begin with: backgrounds learned from recordings, moments read for playback
_PREFIXES = {"backgrounds": "spoton:background:", "moments": "spoton:replay:"}
# what was decoded ahead, and would not be decoded again
_MARKS = "spoton:prefetch:"


def caches_clear() -> dict[str, int]:
    """Forget frames, drawn pictures, backgrounds and moments; how many of each.

    Frames of live tasks that run stay: they wait to be processed and cannot be had again.
    """
    live = ProcessingTask.objects.filter(
        mode=ProcessingTask.Mode.LIVE, status__in=ProcessingTask.ACTIVE
    ).values_list("pk", flat=True)
    found = {"frames": frames.clear(keep=list(live)), "pictures": single_flight.clear()}
    _delete(_MARKS)
    return found | {what: _delete(prefix) for what, prefix in _PREFIXES.items()}


def _delete(prefix: str) -> int:
    keys = list(redis_client().scan_iter(match=f"{prefix}*", count=1000))
    return redis_client().unlink(*keys) if keys else 0
