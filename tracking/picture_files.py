"""The files of stored pictures, wherever they lie: the storage "pictures" of `STORAGES`.

What a storage says of its troubles may hold addresses and ids, so only the kind of an error is passed on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages

from tracking.errors import PictureNotFoundError, PicturesAwayError

log = logging.getLogger(__name__)


def write(name: str, jpeg: bytes) -> str:
    """Store a picture; the name it got. Raises PicturesAwayError."""
    with _answering() as storage:
        return storage.save(name, ContentFile(jpeg))


def read(name: str) -> bytes:
    """Raises PictureNotFoundError and PicturesAwayError."""
    with _answering() as storage, storage.open(name) as file:
        return file.read()


def delete(name: str) -> None:
    """A file that is not there is no error. Raises PicturesAwayError."""
    with _answering() as storage:
        storage.delete(name)


def foreign_url(name: str) -> str | None:
    """A short-lived address that the storage answers itself; None: its pictures are ours to answer.

    Raises PicturesAwayError.
    """
    with _answering() as storage:
        return None if isinstance(storage, FileSystemStorage) else storage.url(name)


def foreign_origin() -> str:
    """Where `foreign_url` leads, as browsers name it (`https://host`); empty: nowhere else than to us."""
    try:
        url = foreign_url("any")
    except PicturesAwayError:
        return ""
    return "{0.scheme}://{0.netloc}".format(urlsplit(url)) if url else ""


@contextmanager
def _answering() -> Iterator[Storage]:
    try:
        yield storages["pictures"]
    except FileNotFoundError:
        raise PictureNotFoundError("The file of this picture is gone.") from None
    except Exception as error:
        log.warning("the storage of pictures fails: %s", type(error).__name__)
        raise PicturesAwayError("The storage of pictures does not answer; try again in a moment.") from None
