"""Passwords that are guessed from many addresses, or for many names, are slowed down.

`LoginThrottle` counts attempts by address and name together. Here failures alone are counted: of one name from any
address, and of one address for any name. A guess is counted before its password is looked at, so that any number at
once cannot pass the limit together, and uncounted when it was right.

The price: who knows a name can keep its owner from signing in, for as long as they go on. Sessions that are open stay.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.cache import cache
from django.core.exceptions import ValidationError
from rest_framework.exceptions import Throttled

from spoton.auth.errors import InvalidCredentialsError

WINDOW_SECONDS = 900
# nobody mistypes their password so often; a guesser gets 80 an hour
MOST_PER_NAME = 20
# an office behind one address mistypes more
MOST_PER_ADDRESS = 60


@contextmanager
def counted_guess(*, username: str, address: str) -> Iterator[None]:
    """Around the check of a password; the block raises InvalidCredentialsError or ValidationError for a wrong one.

    Raises:
        Throttled: too many failures; `wait` says for how long. The same whether or not there is such a user.
    """
    counted: list[str] = []
    for kind, who, most in (
        ("name", normalised(username), MOST_PER_NAME),
        ("address", address, MOST_PER_ADDRESS),
    ):
        key = _key(kind, who)
        # kept for longer than its window: a counter that ended between these two would lose its end
        cache.add(key, 0, timeout=2 * WINDOW_SECONDS)
        counted.append(key)
        if cache.incr(key) > most:
            _uncount(counted)
            raise Throttled(wait=math.ceil(WINDOW_SECONDS - time.time() % WINDOW_SECONDS))
    try:
        yield
    except (InvalidCredentialsError, ValidationError):
        raise
    except BaseException:
        _uncount(counted)
        raise
    _uncount(counted)


def normalised(username: str) -> str:
    """The name as attempts are counted: how it is written does not matter."""
    return username.strip()[:150].casefold()


def digest(text: str) -> str:
    """For keys: people type passwords into the wrong field, and Redis need not know them."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _key(kind: str, who: str) -> str:
    return f"guesses:{kind}:{digest(who)}:{int(time.time() // WINDOW_SECONDS)}"


def _uncount(keys: list[str]) -> None:
    for key in keys:
        cache.decr(key)
