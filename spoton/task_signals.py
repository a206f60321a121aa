"""What a message is about, told from its name and arguments alone: for logs, Flower and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import Task, signals

# whose id the first argument is
_FIRST_ARGUMENT = {
    "workers.prepare_task": "task",
    "workers.associate": "task",
    "workers.fetch_frame": "task",
    "workers.store_crops": "task",
    "workers.probe_recording": "recording",
    "tracking.schedule_batches": "task",
    "tracking.match_persons": "task",
    "tracking.plan_crops": "task",
    "exports.run": "job",
}


def subject(name: str, args: Sequence[Any]) -> dict[str, Any]:
    """The ids a message is about: task, batch, camera; recording; job. Empty when it is about nothing in particular."""
    if not args:
        return {}
    if name == "workers.perceive":
        # one camera's share of a batch, or several cameras' shares of one batch
        shares = args[0] if isinstance(args[0], list) else [args[0]]
        cameras = ",".join(share["camera"] for share in shares)
        return {"task": shares[0]["task_id"], "batch": shares[0]["number"], "camera": cameras}
    found = {_FIRST_ARGUMENT[name]: args[0]} if name in _FIRST_ARGUMENT else {}
    if name == "workers.fetch_frame":
        found |= {"camera": args[1], "instant": args[2]}
    return found


@signals.before_task_publish.connect
def _label_for_flower(
    sender: str = "", headers: dict[str, Any] | None = None, body: Any = None, **_: Any
) -> None:
    """Flower shows a message's subject instead of the beginning of its long arguments."""
    about = subject(sender, body[0]) if headers is not None and isinstance(body, tuple | list) else {}
    if about:
        headers["argsrepr"] = " ".join(f"{name}={value}" for name, value in about.items())


@signals.task_prerun.connect
def _begin(task: Task, args: Sequence[Any] = (), **_: Any) -> None:
    from tracking.log_context import bind_only

    queue = (task.request.delivery_info or {}).get("routing_key")
    bind_only(**subject(task.name, args), **({"queue": queue} if queue else {}))


@signals.task_postrun.connect
def _end(**_: Any) -> None:
    from tracking.log_context import bind_only

    bind_only()


@signals.task_retry.connect
def _count_retry(sender: Task, **_: Any) -> None:
    from tracking.metrics import counted

    counted("task_retries", sender.name)


@signals.task_failure.connect
def _count_failure(sender: Task, **_: Any) -> None:
    from tracking.metrics import counted

    counted("task_failures", sender.name)


@signals.heartbeat_sent.connect
def _report_gpu(sender: Any = None, **_: Any) -> None:
    """A worker with a GPU of its own tells with every heartbeat how full and busy it is."""
    from django.conf import settings

    if settings.ENV.device.startswith("cuda"):
        from tracking.gpus import gpu_announce
        from workers.gpu import gpu_reading

        if (reading := gpu_reading()) is not None:
            gpu_announce(hostname=str(sender.eventer.hostname), reading=vars(reading))


@signals.worker_process_shutdown.connect
def _send_traces(**_: Any) -> None:
    """A worker's processes end without the usual clearing up."""
    from tracking.tracing import flush

    flush()
