"""Celery tasks of the project itself."""

from celery import shared_task


@shared_task(name="spoton.render_demo_site", time_limit=1800, soft_time_limit=1750)
def render_demo_site(slug: str) -> None:
    """Load a demo site and make its footage, on first use."""
    from spoton import demo

    demo.setup(slug)
