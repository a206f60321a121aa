"""What Redis keeps for a while within a bound of bytes: when there is too much, the oldest gives way."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from redis import ResponseError

from environments.redis import redis_client
from tracking.stores import STORES_AWAY, brief

log = logging.getLogger(__name__)

_FORGET_ONE = """
local function forget(all, sizes, key)
  redis.call('DEL', key)
  redis.call('ZREM', all, key)
  local size = redis.call('HGET', sizes, key)
  if size then
    redis.call('HDEL', sizes, key)
    redis.call('HINCRBY', sizes, 'total', -size)
  end
end
"""
# One call for each entry: keep it, and delete what is too much of its ring or of all. KEYS: entry, its ring, all
# entries, their sizes. ARGV: data, life in seconds, time of now, most entries of a ring, most bytes of all.
# In the order in which they came: what somebody asked for long ago is as new as any. Entries whose life is over are
# gone already; here they are only counted off.
_PUT = (
    _FORGET_ONE
    + """
local before = redis.call('HGET', KEYS[4], KEYS[1])
-- first: a full Redis refuses this, but not what follows a write
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
if before then redis.call('HINCRBY', KEYS[4], 'total', -before) end
redis.call('ZADD', KEYS[2], ARGV[3], KEYS[1])
redis.call('EXPIRE', KEYS[2], ARGV[2])
redis.call('ZADD', KEYS[3], ARGV[3], KEYS[1])
redis.call('HSET', KEYS[4], KEYS[1], #ARGV[1])
redis.call('HINCRBY', KEYS[4], 'total', #ARGV[1])
local surplus = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[4])
if surplus > 0 then
  local oldest = redis.call('ZPOPMIN', KEYS[2], surplus)
  for i = 1, #oldest, 2 do forget(KEYS[3], KEYS[4], oldest[i]) end
end
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[3] - ARGV[2], 'LIMIT', 0, 64)) do
  forget(KEYS[3], KEYS[4], key)
end
while tonumber(redis.call('HGET', KEYS[4], 'total')) > tonumber(ARGV[5]) and redis.call('ZCARD', KEYS[3]) > 1 do
  forget(KEYS[3], KEYS[4], redis.call('ZRANGE', KEYS[3], 0, 0)[1])
end
"""
)
# KEYS: all entries, their sizes, those to forget.
_FORGET = _FORGET_ONE + "for i = 3, #KEYS do forget(KEYS[1], KEYS[2], KEYS[i]) end"
FORGOTTEN_AT_ONCE = 500


@dataclass(frozen=True)
class BoundedStore:
    """One kind of entries.

    Attributes:
        all_key, sizes_key: where their order and their sizes are kept.
        most_in_ring: entries of one ring (a camera's frames); older ones go first, whatever their age.
        what: their name, in the plural, for the log.
    """

    all_key: str
    sizes_key: str
    most_in_ring: int
    what: str

    def put(self, entries: Sequence[tuple[str, str, bytes]], *, life_s: int, most_bytes: int) -> None:
        """Keep (key, key of its ring, data), in one round trip.

        Failing here, because Redis is away or full, loses entries and says so in the log.
        """
        pipeline = redis_client().pipeline(transaction=False)
        for key, ring, data in entries:
            limits = [life_s, time.time(), self.most_in_ring, most_bytes]
            pipeline.eval(_PUT, 4, key, ring, self.all_key, self.sizes_key, data, *limits)
        try:
            pipeline.execute()
        except (*STORES_AWAY, ResponseError) as error:
            # a full Redis says so in the script's words
            if isinstance(error, ResponseError) and "OOM" not in str(error):
                raise
            log.warning("%d %s were not kept: %s", len(entries), self.what, brief(error)[-200:])

    def size_bytes(self) -> int:
        """Memory that they take, without what Redis adds."""
        return int(redis_client().hget(self.sizes_key, "total") or 0)

    def kept(self) -> list[bytes]:
        """Keys of the entries that are there, or were not long ago."""
        return redis_client().zrange(self.all_key, 0, -1)

    def forget(self, keys: Sequence[bytes]) -> None:
        """Delete these entries."""
        for begin in range(0, len(keys), FORGOTTEN_AT_ONCE):
            some = [self.all_key, self.sizes_key, *keys[begin : begin + FORGOTTEN_AT_ONCE]]
            redis_client().eval(_FORGET, len(some), *some)
