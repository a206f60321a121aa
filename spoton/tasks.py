"""Celery tasks of the project itself."""

from celery import shared_task


@shared_task(name="spoton.render_demo_site", time_limit=1800, soft_time_limit=1750)
def render_demo_site(slug: str) -> None:
    """Load a demo site and make its footage, on first use."""
    from spoton import demo

    demo.setup(slug)


@shared_task(name="spoton.follow_feedback", time_limit=60, soft_time_limit=50)
def follow_feedback() -> None:
    """What users of the earlier web client said of tasks that have ended by now."""
    from spoton.compat.late import follow_ended

    follow_ended()
