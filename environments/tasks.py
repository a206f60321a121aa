"""Celery tasks of this app."""

from celery import shared_task

from environments.sessions import sessions_forget_expired


@shared_task(name="environments.forget_expired_sessions")
def forget_expired_sessions() -> int:
    return sessions_forget_expired()
