"""What can be done to a running product, by name. Each does it once and says in words what it did."""

from __future__ import annotations

import random
import signal
import threading
import time
import uuid
from collections.abc import Callable
from functools import partial

import psutil

from spoton.chaos.messages import Messages
from spoton.product import Product

# a process stands still for this long, as on a swapping or overloaded host
FREEZE_SECONDS = (1.0, 10.0)
FULL_SECONDS = 3.0
FRAME_BYTES = 256 * 1024
ROOM_BYTES = 24 * 1024 * 1024

Disturb = Callable[[Product, Messages, random.Random], str]

# what marks each kind of process on its command line
PROCESSES = {
    "perceive": "perceive-",
    "associate": "associate@",
    "maintenance": "maintenance@",
    "media": "media@",
    "background": "background@",
    "beat": "spoton beat",
    "web": "uvicorn",
    "ingest": "manage.py ingest",
}


def kill(kind: str, product: Product, messages: Messages, chance: random.Random) -> str:
    """SIGKILL to one process of this kind: the worker itself or the pool's process under it."""
    process = chance.choice(product.processes(PROCESSES[kind]) or [None])
    return _signal(process, signal.SIGKILL)


def freeze(kind: str, product: Product, messages: Messages, chance: random.Random) -> str:
    """Stop a process in its middle; it goes on later as if nothing had happened, with what it believed then."""
    process = chance.choice(product.processes(PROCESSES[kind]) or [None])
    seconds = chance.uniform(*FREEZE_SECONDS)
    did = _signal(process, signal.SIGSTOP)
    if process is not None:
        threading.Timer(seconds, _signal, (process, signal.SIGCONT)).start()
    return f"{did}, SIGCONT after {seconds:.1f} s"


def kill_redis(product: Product, messages: Messages, chance: random.Random) -> str:
    """Queues, leases, observations, frames and notices are lost."""
    return _signal(_first(product.processes("redis-server")), signal.SIGKILL)


def kill_postgres(product: Product, messages: Messages, chance: random.Random) -> str:
    """The server itself: it comes back by crash recovery."""
    return _signal(_first(product.processes("/postgres -D")), signal.SIGKILL)


def kill_postgres_backend(product: Product, messages: Messages, chance: random.Random) -> str:
    """One connection's process: PostgreSQL throws all others out and recovers."""
    return _signal(chance.choice(product.processes("postgres: spoton") or [None]), signal.SIGKILL)


def stop_postgres(product: Product, messages: Messages, chance: random.Random) -> str:
    """Fast shutdown, as an administrator's restart: connections end, data is flushed."""
    return _signal(_first(product.processes("/postgres -D")), signal.SIGINT)


def fill_frame_store(product: Product, messages: Messages, chance: random.Random) -> str:
    """More frames than Redis may hold: it makes room by throwing out whatever has a lifetime."""
    with product.redis() as client:
        bound = int(client.config_get("maxmemory")["maxmemory"])
        client.config_set("maxmemory", int(client.info("memory")["used_memory"]) + ROOM_BYTES)
        evicted = client.info("stats")["evicted_keys"]
        picture, folder = chance.randbytes(FRAME_BYTES), uuid.uuid4()
        for number in range(3 * ROOM_BYTES // FRAME_BYTES):
            client.set(f"spoton:frame:{folder}:c01:{number}", picture, ex=30)
        evicted = client.info("stats")["evicted_keys"] - evicted
        client.config_set("maxmemory", bound)
    return f"{evicted} keys were thrown out"


def fill_redis(product: Product, messages: Messages, chance: random.Random) -> str:
    """No byte is left, not even for queues: for some seconds every write is refused."""
    with product.redis() as client:
        bound = int(client.config_get("maxmemory")["maxmemory"])
        client.config_set("maxmemory", 1024)
        time.sleep(FULL_SECONDS)
        client.config_set("maxmemory", bound)
    return f"every write refused for {FULL_SECONDS:g} s"


DISTURBANCES: dict[str, Disturb] = {
    **{f"kill {kind}": partial(kill, kind) for kind in PROCESSES},
    **{f"freeze {kind}": partial(freeze, kind) for kind in ("perceive", "associate", "maintenance")},
    "kill Redis": kill_redis,
    "kill PostgreSQL": kill_postgres,
    "kill a PostgreSQL backend": kill_postgres_backend,
    "stop PostgreSQL": stop_postgres,
    "fill the frame store": fill_frame_store,
    "fill Redis": fill_redis,
    "duplicate messages": lambda product, messages, chance: messages.duplicate(chance),
    "delay messages": lambda product, messages, chance: messages.delay(chance),
    "reorder messages": lambda product, messages, chance: messages.shuffle(chance),
}


def _first(processes: list[psutil.Process]) -> psutil.Process | None:
    return processes[0] if processes else None


def _signal(process: psutil.Process | None, number: signal.Signals) -> str:
    if process is None:
        return "nobody there"
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return f"process {process.pid} had just ended"
    return f"{number.name} to process {process.pid}"
