"""Who looks like a person, or like somebody in a picture."""

from __future__ import annotations

from datetime import datetime

from environments.models import Environment
from tracking.gallery import Alike, persons_like, usual_embedder
from tracking.looks import look_of
from tracking.models import Person
from tracking.processed import ranges_of
from tracking.uploaded_picture import box_within, picture_of


def persons_like_person(
    *, person: Person, start: datetime | None, end: datetime | None, most: int
) -> list[Alike]:
    """Persons of the same environment seen in [start, end), the most alike first.

    Raises:
        RangeNotAvailableError: the range is empty or holds nothing; details carry what is available.
    """
    _check_range(person.environment, start, end)
    return persons_like(environment=person.environment, person=person, start=start, end=end, most=most)


def persons_like_picture(
    *,
    environment: Environment,
    data: bytes,
    box_px: tuple[float, float, float, float] | None,
    start: datetime | None,
    end: datetime | None,
    most: int,
) -> tuple[str | None, list[Alike]]:
    """The embedder that looked at the picture, and whom it found alike; (None, []) where nobody's look is kept.

    Appearances of one embedder only can be compared: those of the one that made most of them are.

    Args:
        data: an encoded picture; box_px: where in it the person is, None: all of it.

    Raises:
        ValidationFailedError: the picture or the box cannot be used.
        RangeNotAvailableError: as `persons_like_person`.
        EmbedderNotAvailableError, MediaTimeoutError: no worker could look at it.
    """
    picture = picture_of(data)
    box_px = box_within(picture, box_px)
    _check_range(environment, start, end)
    embedder = usual_embedder(environment=environment, start=start, end=end)
    if embedder is None:
        return None, []
    look = look_of(picture=picture.data, box_px=box_px, embedder=embedder)
    found = persons_like(
        environment=environment, vector=look, embedder=embedder, start=start, end=end, most=most
    )
    return embedder, found


def _check_range(environment: Environment, start: datetime | None, end: datetime | None) -> None:
    if start or end:
        ranges_of(environment).chosen(start, end)
