"""Celery tasks of this app: thin, idempotent; the work is in services."""

from celery import shared_task

from tracking import gallery, metrics, reappearance, schedule, stored_pictures
from tracking.stores import waits_out


@shared_task(name="tracking.schedule_batches")
@waits_out
def schedule_batches(task_id: str) -> None:
    schedule.schedule_batches(task_id=task_id)


@shared_task(name="tracking.watch_tasks")
@waits_out
def watch_tasks() -> list[str]:
    helped = schedule.watch_tasks()
    metrics.counted("stalls", n=len(helped))
    return helped


@shared_task(name="tracking.match_persons", time_limit=600, soft_time_limit=580)
@waits_out
def match_persons(task_id: str) -> None:
    reappearance.persons_match(task_id=task_id)


@shared_task(name="tracking.forget_appearances")
def forget_appearances() -> int:
    return gallery.appearances_forget()


@shared_task(name=stored_pictures.PLAN)
@waits_out
def plan_crops(task_id: str) -> int:
    return stored_pictures.crops_plan(task_id=task_id)


@shared_task(name="tracking.forget_crops")
def forget_crops() -> int:
    return stored_pictures.crops_forget()


@shared_task(name=stored_pictures.DELETE)
def delete_pictures() -> int:
    return stored_pictures.left_pictures_delete()
