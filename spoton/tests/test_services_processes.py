"""Which processes run, with which queue, device and threads; and ports that are taken."""

import json
import os
import socket
import stat
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from spoton.services import processes

ENV = {"PATH": os.environ["PATH"], "CUDA_VISIBLE_DEVICES": "", "REDIS_URL": "unix:///r?db=0"}


def argument(spec, flag: str) -> str:
    return spec.argv[spec.argv.index(flag) + 1]


def test_without_gpu_the_cores_are_shared_among_perceive_workers(monkeypatch):
    monkeypatch.setattr(processes, "core_count", lambda: 4)
    one, two = processes.workers(ENV, cpu_workers=2, only=["perceive"])
    assert [argument(spec, "-Q") for spec in (one, two)] == ["cpu.0", "cpu.1"]
    assert argument(two, "-n") == "perceive-cpu.1@%h"
    assert argument(two, "--concurrency") == "1"
    assert two.env["SPOTON_QUEUE"] == "cpu.1"
    assert two.env["SPOTON_DEVICE"] == "cpu"
    assert two.env["OMP_NUM_THREADS"] == two.env["OPENCV_FOR_THREADS_NUM"] == "2"
    assert two.env["REDIS_URL"] == ENV["REDIS_URL"]


def test_zero_cpu_workers_means_one_per_core(monkeypatch):
    monkeypatch.setattr(processes, "core_count", lambda: 3)
    specs = processes.workers(ENV, cpu_workers=0, only=["perceive"])
    assert [spec.env["SPOTON_QUEUE"] for spec in specs] == ["cpu.0", "cpu.1", "cpu.2"]
    assert {spec.env["OMP_NUM_THREADS"] for spec in specs} == {"1"}


def test_each_gpu_has_a_worker_that_sees_only_this_one():
    env = ENV | {"CUDA_VISIBLE_DEVICES": "2,5"}
    specs = processes.workers(env, cpu_workers=7, only=["perceive"])
    assert [argument(spec, "-Q") for spec in specs] == ["gpu.0", "gpu.1"]
    assert [spec.env["CUDA_VISIBLE_DEVICES"] for spec in specs] == ["2", "5"]
    assert {spec.env["SPOTON_DEVICE"] for spec in specs} == {"cuda:0"}


def test_associate_workers_share_a_queue_and_have_one_of_their_own_each():
    specs = processes.workers(ENV, cpu_workers=1, associate_workers=2, only=["associate"])
    queues = [argument(spec, "-Q").split(",") for spec in specs]
    assert [spec.name for spec in specs] == ["associate-0", "associate-1"]
    assert {common for common, _ in queues} == {"associate"}
    assert [own for _, own in queues] == [spec.env["SPOTON_ASSOCIATE_QUEUE"] for spec in specs]
    assert len({own for _, own in queues}) == 2


@pytest.mark.parametrize(
    ("only", "names"),
    [
        (["associate"], ["associate"]),
        (["background"], ["background", "maintenance", "media"]),
        (["perceive", "associate"], ["perceive-cpu.0", "associate"]),
        (processes.WORKER_KINDS, ["perceive-cpu.0", "associate", "background", "maintenance", "media"]),
    ],
)
def test_only_some_kinds(only, names):
    assert [spec.name for spec in processes.workers(ENV, cpu_workers=1, only=only)] == names


def test_every_queue_that_tasks_are_routed_to_has_a_worker():
    from django.conf import settings

    served = set()
    for spec in processes.workers(ENV, cpu_workers=1):
        served |= set(argument(spec, "-Q").split(","))
    routed = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()}
    assert routed | {settings.CELERY_TASK_DEFAULT_QUEUE} <= served


def fake_nvidia_smi(folder, script: str) -> dict[str, str]:
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("script", "gpus"), [("printf '0\\n1\\n'", ["0", "1"]), ("echo 'No devices were found'", [])]
)
def test_gpus_are_those_that_nvidia_smi_lists(tmp_path, monkeypatch, script, gpus):
    env = fake_nvidia_smi(tmp_path, script)
    monkeypatch.setenv("PATH", env["PATH"])
    assert processes.list_gpus(env) == gpus


@pytest.mark.parametrize(("value", "gpus"), [("", []), ("-1", []), ("1", ["1"]), ("0,3", ["0", "3"])])
def test_operators_choice_of_gpus_is_respected(value, gpus):
    assert processes.list_gpus({"CUDA_VISIBLE_DEVICES": value}) == gpus


def test_a_taken_port_gives_the_next_free_one():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = processes.free_port("127.0.0.1", port)
        assert port < found < port + 50
    assert processes.free_port("127.0.0.1", port) == port


def test_no_free_port_is_an_error_that_says_why():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(processes.NoFreePortError, match=rf"port {port} .*in use"):
            processes.free_port("127.0.0.1", port, tries=1)
    with pytest.raises(processes.NoFreePortError, match=r"192\.0\.2\.1"):
        processes.free_port("192.0.2.1", 8000, tries=2)


@pytest.fixture
def one_answer():
    """Serve one request with this status and a body that repeats the Host header; the server's URL."""
    servers, threads = [], []

    def serve(status: int) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps({"host": self.headers["Host"]}).encode())

            def log_message(self, *_):
                pass

        servers.append(HTTPServer(("127.0.0.1", 0), Handler))
        threads.append(threading.Thread(target=servers[-1].handle_request))
        threads[-1].start()
        return processes.local_url("0.0.0.0", servers[-1].server_port)

    yield serve
    for server, thread in zip(servers, threads, strict=True):
        thread.join()
        server.server_close()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (400, False), (503, False)])
def test_a_server_answers_when_it_says_so(one_answer, status, healthy):
    assert processes.answers(one_answer(status)) is healthy


def test_nobody_answers_on_a_free_port():
    url = processes.local_url("127.0.0.1", processes.free_port("127.0.0.1", 20_000))
    assert not processes.answers(url)
    assert processes.get_json(url) == {}


def test_checks_use_a_name_that_the_server_allows(one_answer):
    assert processes.get_json(one_answer(200), allowed_host="spoton.example") == {"host": "spoton.example"}


def test_local_urls():
    assert processes.local_url("::", 80) == "http://[::1]:80"
    assert processes.local_url("192.0.2.1", 80) == "http://192.0.2.1:80"


def test_core_count_is_positive_and_within_the_machine():
    assert 1 <= processes.core_count() <= os.cpu_count()
