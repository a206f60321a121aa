"""The demo: two sites with synthetic footage and a user to look at them with."""

from __future__ import annotations

import secrets
import zlib
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from celery import current_app
from django.conf import settings
from django.contrib.auth import get_user_model
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from environments.models import Environment, Role
from environments.services import membership_set
from fixtures.scene import Scene, SceneConfig, demo_config
from spoton.sites import scene_record, site_load
from tracking.models import ProcessingTask
from tracking.services import task_start

USER = "demo"
# processed at once, and the one whose footage is made meanwhile
FIRST, SECOND = "campus", "factory"


def demo_folder(slug: str, config: SceneConfig | None = None) -> Path:
    """Where a scene of the site lies; scenes of other length or crowd than the demo's have folders of their own."""
    name = f"demo-{slug}"
    if config is not None and config != demo_config(slug):
        name += f"-{config.duration_s:g}s-{config.people}p-{config.seed}"
    return settings.ENV.footage_dir / name


def variant(slug: str, *, seconds: float | None, people: int | None, seed: int | None = None) -> SceneConfig:
    """The demo's scene, or one of other length, crowd or seed, on a day of its own.

    Raises:
        SceneConfigError: impossible values.
    """
    usual = demo_config(slug)
    wished = {"duration_s": seconds, "people": people, "seed": seed}
    config = replace(usual, **{name: value for name, value in wished.items() if value is not None})
    if config == usual:
        return usual
    # recordings of one camera must not overlap in time
    days = 1 + zlib.crc32(f"{config.duration_s}|{config.people}|{config.seed}".encode()) % 10000
    return replace(config, started_at=usual.started_at - timedelta(days=days))


def setup(slug: str, config: SceneConfig | None = None) -> Scene:
    """Load a site, make its footage on first use with a progress bar, and the demo user."""
    # loaded only once: what an administrator changed afterwards stays
    environment = Environment.objects.filter(slug=slug).first() or site_load(slug)
    membership_set(user=user_ensure(), environment=environment, role=Role.ADMIN)
    with _progress(f"Rendering the demo's footage: {environment.name}") as update:
        return scene_record(
            environment=environment,
            config=config or demo_config(slug),
            folder=demo_folder(slug, config),
            on_progress=update,
        )


def user_ensure():
    """The demo user, an administrator of this installation, with the password kept under var/."""
    user, _ = get_user_model().objects.get_or_create(
        username=USER, defaults={"is_staff": True, "is_superuser": True}
    )
    if not user.check_password(password()):
        user.set_password(password())
        user.save()
    return user


def password() -> str:
    """Made once per clone, so that no installation has a password that others know."""
    path = settings.ENV.var_dir / "demo-password"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        words = secrets.token_hex(4)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(f"spoton-{words}\n")
        return path.read_text().strip()


def site(slug: str) -> Environment:
    """A demo environment that `setup` has loaded."""
    return Environment.objects.get(slug=slug)


def live_addresses_set(port: int) -> None:
    """Point the demo cameras' live addresses to the server that plays their recordings."""
    for camera in site(FIRST).cameras.all():
        camera.live_uri = f"http://127.0.0.1:{port}/{camera.slug}.mjpg"
        camera.save(update_fields=["live_uri"])


def start(*, pacing: str = ProcessingTask.Pacing.REALTIME) -> ProcessingTask:
    """Process the demo campus from its beginning; a run that is still going is left alone.

    The other site's footage is made by a background worker meanwhile.
    """
    current_app.send_task("spoton.render_demo_site", args=[SECOND])
    environment, scene = site(FIRST), demo_config(FIRST)
    running = ProcessingTask.objects.filter(environment=environment, status__in=ProcessingTask.ACTIVE).first()
    # only its own scene: variants lie years before it
    return running or task_start(
        user=user_ensure(),
        environment=environment,
        start=scene.started_at,
        end=scene.started_at + timedelta(seconds=scene.duration_s),
        pacing=pacing,
    )


@contextmanager
def _progress(title: str):
    """A progress bar that only appears when there is something to do."""
    bar = Progress(TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    job = bar.add_task(title, total=None)

    def update(done: int, total: int) -> None:
        if not bar.live.is_started:
            bar.start()
        bar.update(job, completed=done, total=total)

    try:
        yield update
    finally:
        if bar.live.is_started:
            bar.stop()
