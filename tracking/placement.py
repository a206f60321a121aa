"""Which device perceives which camera: spread by measured load, moved only when that is worth it.

A camera stays where it is, because its open file, its background and its detector are there; results do not depend
on the place. When its device is gone it moves, and when one device has much more to do than the others, one camera
moves at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from environments.redis import redis_client
from tracking.devices import DEFAULT_QUEUE, live_device_queues
from tracking.models import ProcessingTask

# places and loads of a task that nobody has asked about for this long are forgotten (s)
TTL_SECONDS = 3600
# the balance is looked at this often (s)
BALANCE_EVERY_SECONDS = 5
# a device is overloaded when it has this much more to do than the average
IMBALANCE = 1.25
# weight of a batch in what is known of its camera's load
LOAD_WEIGHT = 0.2


def place(task: ProcessingTask) -> dict[str, str]:
    """The device queue of each of the task's cameras."""
    queues = of_one_kind(live_device_queues()) or {DEFAULT_QUEUE: 1}
    placed = _places(task.pk)
    known = {camera: placed.get(camera) for camera in task.cameras}
    settled = all(queue in queues for queue in known.values())
    # several processes send; one of them looks after the balance
    if settled and not redis_client().set(_key("balance", task.pk), 1, nx=True, ex=BALANCE_EVERY_SECONDS):
        return known
    places = balanced(known, _loads(task.pk), others=_load_of_others(task), capacity=queues)
    if places != known:
        pipeline = redis_client().pipeline(transaction=False)
        pipeline.hset(_key("places", task.pk), mapping=places)
        pipeline.expire(_key("places", task.pk), TTL_SECONDS)
        pipeline.execute()
    return places


def of_one_kind(queues: Mapping[str, int]) -> dict[str, int]:
    """The GPUs where there are any, else all: one network gives slightly other figures on another kind of device, and
    results must not depend on where a camera was perceived."""
    gpus = {queue: workers for queue, workers in queues.items() if queue.startswith("gpu.")}
    return gpus or dict(queues)


def balanced(
    places: Mapping[str, str | None],
    loads: Mapping[str, float],
    *,
    others: Mapping[str, float],
    capacity: Mapping[str, int],
) -> dict[str, str]:
    """Places for all cameras: the homeless go where least is to do, then at most one camera moves.

    Args:
        places: camera to queue; None or a queue that is not in `capacity` has to change.
        loads: camera to ms of device time per second; unknown ones count as the average.
        others: the same per queue, of other tasks.
        capacity: queue to the number of workers that serve it.
    """
    usual = sum(loads.values()) / len(loads) if loads else 1.0
    load_of = {camera: loads.get(camera) or usual for camera in places}
    result = {camera: queue for camera, queue in places.items() if queue in capacity}
    total = {queue: others.get(queue, 0.0) for queue in sorted(capacity)}
    for camera, queue in result.items():
        total[queue] += load_of[camera]

    def busyness(queue: str) -> float:
        return total[queue] / capacity[queue]

    # the heaviest first, or there would be no room for it later
    for camera in sorted(places.keys() - result.keys(), key=lambda c: (-load_of[c], c)):
        queue = min(total, key=lambda q: ((total[q] + load_of[camera]) / capacity[q], q))
        result[camera] = queue
        total[queue] += load_of[camera]

    busiest, idlest = max(total, key=busyness), min(total, key=busyness)
    average = sum(total.values()) / sum(capacity.values())
    if busyness(busiest) > IMBALANCE * average:
        movable = sorted((load_of[c], c) for c, queue in result.items() if queue == busiest)
        for load, camera in reversed(movable):
            # the largest that leaves its new device less busy than the old one was
            if (total[idlest] + load) / capacity[idlest] < busyness(busiest) / IMBALANCE:
                result[camera] = idlest
                break
    return {camera: result[camera] for camera in places}


def measured(*, task: ProcessingTask, instants: int, reports: Mapping[str, Mapping[str, Any]]) -> None:
    """Learn from a committed batch how much each camera costs.

    Args:
        reports: per camera {"timings_ms": {"decode", "detect", "embed"}}, sums over the batch.
    """
    if not instants:
        return
    known, seconds = _loads(task.pk), instants / task.fps
    loads = {}
    for camera, report in reports.items():
        load = sum(report["timings_ms"].get(stage, 0.0) for stage in ("decode", "detect", "embed")) / seconds
        loads[camera] = (
            round(known[camera] + LOAD_WEIGHT * (load - known[camera]), 3) if camera in known else load
        )
    pipeline = redis_client().pipeline(transaction=False)
    pipeline.hset(_key("loads", task.pk), mapping=loads)
    pipeline.expire(_key("loads", task.pk), TTL_SECONDS)
    pipeline.execute()


def _places(task_id: Any) -> dict[str, str]:
    stored = redis_client().hgetall(_key("places", task_id))
    return {camera.decode(): queue.decode() for camera, queue in stored.items()}


def _loads(task_id: Any) -> dict[str, float]:
    return {c.decode(): float(load) for c, load in redis_client().hgetall(_key("loads", task_id)).items()}


def _load_of_others(task: ProcessingTask) -> dict[str, float]:
    """Per queue, what the other active tasks' cameras cost there."""
    active = ProcessingTask.objects.filter(status__in=ProcessingTask.ACTIVE).exclude(pk=task.pk)
    result: dict[str, float] = defaultdict(float)
    for task_id in active.values_list("pk", flat=True):
        loads = _loads(task_id)
        usual = sum(loads.values()) / len(loads) if loads else 1.0
        for camera, queue in _places(task_id).items():
            result[queue] += loads.get(camera, usual)
    return result


def _key(what: str, task_id: Any) -> str:
    return f"spoton:{what}:{task_id}"
