"""Celery tasks of this app."""

from celery import shared_task

from exports import services


@shared_task(name="exports.run", time_limit=250)
def run(job_id: str) -> None:
    services.export_run(job_id=job_id)
