"""Celery tasks of this app."""

from celery import shared_task

from exports import services
from tracking.stores import waits_out


@shared_task(name="exports.run", time_limit=1200, soft_time_limit=1180)
@waits_out
def run(job_id: str) -> None:
    services.export_run(job_id=job_id)


@shared_task(name="exports.watch")
@waits_out
def watch() -> list[str]:
    return services.exports_watch()
