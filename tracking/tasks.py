"""Celery tasks of this app: thin, idempotent; the work is in services."""

from celery import shared_task

from tracking import gallery, metrics, reappearance, schedule


@shared_task(name="tracking.schedule_batches")
def schedule_batches(task_id: str) -> None:
    schedule.schedule_batches(task_id=task_id)


@shared_task(name="tracking.watch_tasks")
def watch_tasks() -> list[str]:
    helped = schedule.watch_tasks()
    metrics.counted("stalls", n=len(helped))
    return helped


@shared_task(name="tracking.match_persons", time_limit=600, soft_time_limit=580)
def match_persons(task_id: str) -> None:
    reappearance.persons_match(task_id=task_id)


@shared_task(name="tracking.forget_appearances")
def forget_appearances() -> int:
    return gallery.appearances_forget()
