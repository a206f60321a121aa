"""What a running product takes at one moment."""

from __future__ import annotations

from collections import defaultdict

import psutil

from spoton.product import Product

# (what, unit) by which a process is measured
MEMORY, FILES, THREADS = "memory MB", "open files", "threads"
CONNECTIONS, KEYS = "connections", "keys"

# marks on command lines, the first that fits; pool processes carry their worker's
_NAMES = {
    "postgres": "PostgreSQL",
    "redis-server": "Redis",
    "uvicorn": "web",
    "spoton beat": "beat",
    "manage.py ingest": "ingest",
    "perceive-": "perceive",
    "associate@": "associate",
    "background@": "background",
    "maintenance@": "maintenance",
    "media@": "media",
    "manage.py up": "supervisor",
}

Sample = dict[tuple[str, str], float]


def take_sample(product: Product) -> Sample:
    """(process kind, measure) to value, summed over the kind's processes.

    Memory is what a process has for itself (USS): pages shared with others, such as PostgreSQL's buffers, would
    look like a leak while they are touched for the first time.
    """
    sample: Sample = defaultdict(float)
    for process in product.processes():
        try:
            name = _kind(" ".join(process.cmdline()))
            with process.oneshot():
                sample[name, MEMORY] += process.memory_full_info().uss / 2**20
                if name != "PostgreSQL":
                    # it keeps every table's file open that it has touched, up to a bound of its own
                    sample[name, FILES] += process.num_fds()
                sample[name, THREADS] += process.num_threads()
        except psutil.Error:
            continue
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    sample["PostgreSQL", CONNECTIONS] = product.rows(query)[0][0] - 1
    with product.redis() as client:
        sample["Redis", "used " + MEMORY] = client.info("memory")["used_memory"] / 2**20
        sample["Redis", KEYS] = client.dbsize()
        sample["Redis", CONNECTIONS] = client.info("clients")["connected_clients"] - 1
    return dict(sample)


def _kind(command: str) -> str:
    return next((name for mark, name in _NAMES.items() if mark in command), "others")
