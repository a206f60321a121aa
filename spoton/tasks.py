"""Celery tasks of the project itself."""

import os

from celery import shared_task


@shared_task(name="spoton.render_demo_site", time_limit=1800, soft_time_limit=1750)
def render_demo_site(slug: str) -> None:
    """Load a demo site and make its footage, on first use; with the patience of something nobody waits for."""
    from spoton import demo

    os.nice(10)
    demo.setup(slug)
