"""Which processes make up SpotOn, and with which command, queue and device each runs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spoton.services.supervisor import ChildSpec
from tracking.queues import ASSOCIATE, own_queue

MANAGE_PY = Path(__file__).resolve().parents[2] / "manage.py"
WORKER_KINDS = ("perceive", "associate", "background")
# asked to end, a worker finishes what it is doing, which seldom takes longer; one that is killed comes back and changes
# nothing twice
WORKER_STOP_SECONDS = 8.0
# every numeric library has a pool of threads of its own; without these they would all take all cores
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)


# what a client may send in one message; the sockets' own limit is lower and answered with an error
MOST_SOCKET_BYTES = 1024 * 1024
# connections to the database of one web server: more requests at a time wait for one
WEB_CONNECTIONS = 20


class NoFreePortError(RuntimeError):
    """No port near the wanted one is free."""


def web(host: str, port: int, env: Mapping[str, str], *, allowed_host: str = "localhost") -> ChildSpec:
    """REST, WebSockets, admin and console.

    Args:
        allowed_host: a name the server answers to, for the health check.
    """
    argv = [sys.executable, "-m", "uvicorn", "spoton.asgi:application", "--host", host, "--port", str(port)]
    argv += ["--log-level", "warning", "--no-access-log", "--no-server-header", "--lifespan", "off"]
    # sends wait for slow readers here, and messages are compressed for those who can (permessage-deflate)
    argv += ["--ws", "spoton.socket_protocol:SocketProtocol", "--ws-max-size", str(MOST_SOCKET_BYTES)]
    argv += ["--timeout-graceful-shutdown", "3"]
    return ChildSpec(
        "web",
        tuple(argv),
        _child_env(env, 1) | {"SPOTON_DATABASE_POOL": str(WEB_CONNECTIONS)},
        healthy=lambda: answers(f"{local_url(host, port)}/health/live", allowed_host=allowed_host),
    )


def beat(env: Mapping[str, str]) -> ChildSpec:
    """Enqueues what is due; the schedule lies in the settings."""
    return ChildSpec("beat", _celery("beat", "--loglevel", "WARNING", "--pidfile", ""), _child_env(env, 1))


def flower(port: int, env: Mapping[str, str]) -> ChildSpec:
    """Shows queues and workers. It knows no users, so it listens on this machine only."""
    argv = _celery("flower", "--address=127.0.0.1", f"--port={port}")
    # below an error it only reports that workers are still starting
    return ChildSpec("flower", argv, _child_env(env, 1) | {"SPOTON_LOG_LEVEL": "ERROR"})


def ingest(env: Mapping[str, str]) -> ChildSpec:
    """Reads live cameras."""
    return ChildSpec("ingest", (sys.executable, str(MANAGE_PY), "ingest"), _child_env(env, 1))


def demo_cameras(folder: Path, port: int, env: Mapping[str, str]) -> ChildSpec:
    """Plays the demo's recordings as live cameras, so that live processing can be tried without any."""
    argv = [sys.executable, "-m", "fixtures.stream_server", "--dir", str(folder), "--port", str(port)]
    return ChildSpec("demo-cameras", tuple(argv), _child_env(env, 1))


def workers(
    env: Mapping[str, str],
    *,
    cpu_workers: int,
    associate_workers: int = 0,
    only: Sequence[str] = WORKER_KINDS,
) -> list[ChildSpec]:
    """Celery workers of this host.

    Args:
        env: environment to start from, with DATABASE_URL and REDIS_URL.
        cpu_workers: perceive workers where there is no GPU; 0: one per core.
        associate_workers: 0: one per eight cores.
        only: kinds to start.
    """
    specs: list[ChildSpec] = []
    if "perceive" in only:
        specs += _perceive(env, list_gpus(env), cpu_workers)
    if "associate" in only:
        specs += _associate(env, associate_workers or max(1, core_count() // 8))
    if "background" in only:
        specs.append(_worker("background", "exports,reports", _child_env(env, 1)))
        # by itself: what it does keeps tasks going and must not wait behind a long export
        specs.append(_worker("maintenance", "maintenance", _child_env(env, 1)))
        # single pictures and the look into new recordings: somebody waits for them
        specs.append(_worker("media", "media", _child_env(env, 1)))
    return specs


def _perceive(env: Mapping[str, str], gpus: Sequence[str], cpu_workers: int) -> list[ChildSpec]:
    """One worker per GPU, which sees no other GPU; without GPUs one per share of the cores."""
    cores = core_count()
    specs = []
    for number, gpu in enumerate(gpus):
        queue = f"gpu.{number}"
        own = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": gpu, "SPOTON_DEVICE": "cuda:0"}
        threaded = _child_env(env, max(1, cores // len(gpus)))
        specs.append(_worker(f"perceive-{queue}", queue, threaded | own | {"SPOTON_QUEUE": queue}))
    if specs:
        return specs
    count = cpu_workers or cores
    for number in range(count):
        queue = f"cpu.{number}"
        threaded = _child_env(env, max(1, cores // count))
        own = {"SPOTON_DEVICE": "cpu", "SPOTON_QUEUE": queue}
        specs.append(_worker(f"perceive-{queue}", queue, threaded | own))
    return specs


def _associate(env: Mapping[str, str], count: int) -> list[ChildSpec]:
    """Each serves the common queue and one of its own, where those tasks go on whose trackers it has in memory."""
    specs = []
    for number in range(count):
        name = "associate" if count == 1 else f"associate-{number}"
        own = own_queue(f"{name}@{socket.gethostname()}")
        queues = f"{ASSOCIATE},{own}"
        specs.append(_worker(name, queues, _child_env(env, 1) | {"SPOTON_ASSOCIATE_QUEUE": own}))
    return specs


def _worker(name: str, queues: str, env: Mapping[str, str]) -> ChildSpec:
    # gossip and mingle serve features we do not use; heartbeats announce the worker and stay
    argv = _celery(
        "worker", "-Q", queues, "-n", f"{name}@%h", "--pool", "prefork", "--concurrency", "1",
        "--without-gossip", "--without-mingle", "--loglevel", env.get("SPOTON_LOG_LEVEL", "INFO"),
    )  # fmt: skip
    return ChildSpec(name, argv, env, stop_seconds=WORKER_STOP_SECONDS)


def _celery(*arguments: str) -> tuple[str, ...]:
    # quiet: no banner for every worker
    return (sys.executable, "-m", "celery", "--quiet", "-A", "spoton", *arguments)


def _child_env(env: Mapping[str, str], threads: int) -> dict[str, str]:
    # when root runs it, Celery warns in every worker, at length, about pickle, which we do not use
    quiet = "ignore:You're running the worker with superuser privileges"
    warnings = ",".join(filter(None, (env.get("PYTHONWARNINGS"), quiet)))
    fixed = {"PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": warnings}
    return {**env, **fixed, **dict.fromkeys(_THREAD_VARIABLES, str(threads))}


def get_json(url: str, *, allowed_host: str = "localhost", timeout_seconds: float = 3) -> dict[str, Any]:
    """The object that a GET gives; empty without a good answer."""
    request = urllib.request.Request(url, headers={"Host": allowed_host})
    try:
        with urllib.request.urlopen(request, timeout=timeout_seconds) as response:
            return json.load(response)
    except (OSError, ValueError):
        return {}


def core_count() -> int:
    """Cores this process may use: its affinity, and the quota of its container where one is set."""
    cores = len(os.sched_getaffinity(0))
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = min(cores, max(1, int(quota) // int(period)))
    return cores


def list_gpus(env: Mapping[str, str]) -> list[str]:
    """What CUDA_VISIBLE_DEVICES may be set to for each usable GPU; empty without GPUs.

    A CUDA_VISIBLE_DEVICES of the operator is respected.
    """
    if "CUDA_VISIBLE_DEVICES" in env:
        return [part for part in env["CUDA_VISIBLE_DEVICES"].split(",") if part and part != "-1"]
    if shutil.which("nvidia-smi"):
        command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
        with contextlib.suppress(subprocess.SubprocessError):
            listed = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
            return [line.strip() for line in listed.stdout.splitlines() if line.strip().isdigit()]
    # the driver's own list: containers may come without the tool
    found = Path("/proc/driver/nvidia/gpus")
    return [str(number) for number in range(len(list(found.iterdir())))] if found.is_dir() else []


def free_port(host: str, wanted: int, *, tries: int = 50) -> int:
    """The wanted port, or the next one that nobody listens on.

    Raises:
        NoFreePortError: none of the ports tried is free, or the host is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    problem: OSError | None = None
    for port in range(wanted, min(wanted + tries, 65536)):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # as the server does: a port whose last connections are only fading away counts as free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                problem = error
                continue
            return port
    raise NoFreePortError(f"cannot listen on {host}, port {wanted} or the {tries - 1} after it: {problem}")


def local_url(host: str, port: int) -> str:
    """How this machine reaches a server that listens on `host`."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def answers(url: str, *, allowed_host: str = "localhost", timeout_seconds: float = 3) -> bool:
    """Whether a GET, addressed to `allowed_host`, gives a status below 400."""
    request = urllib.request.Request(url, headers={"Host": allowed_host})
    try:
        with urllib.request.urlopen(request, timeout=timeout_seconds):
            return True
    except OSError:
        return False
