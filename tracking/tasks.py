"""Celery tasks of this app: thin, idempotent; the work is in services."""

from celery import shared_task

from tracking import schedule


@shared_task(name="tracking.schedule_batches")
def schedule_batches(task_id: str) -> None:
    schedule.schedule_batches(task_id=task_id)


@shared_task(name="tracking.watch_tasks")
def watch_tasks() -> list[str]:
    return schedule.watch_tasks()
