"""Backgrounds are learned once for all workers."""

from __future__ import annotations

from environments.redis import redis_client
from tracking.backgrounds import background


def test_what_one_has_learned_the_others_take():
    learned = []

    def learn() -> bytes:
        learned.append(len(learned))
        return bytes([7, len(learned)])

    redis_client().delete("spoton:background:a", "spoton:background:b")
    assert [background(key, learn) for key in "aabab"] == [b"\7\1", b"\7\1", b"\7\2", b"\7\1", b"\7\2"]
    assert learned == [0, 1]
    assert 0 < redis_client().ttl("spoton:background:a") <= 3600
