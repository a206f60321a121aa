"""The supervisor with real child processes: order, restarts, shutdown, and no orphan whatever happens."""

import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from spoton.services.logs import LogForwarder
from spoton.services.supervisor import ChildFailedError, ChildSpec, Supervisor, describe_exit

REPOSITORY = Path(__file__).resolve().parents[2]


class Terminal(io.StringIO):
    """An output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def output():
    return io.StringIO()


@pytest.fixture
def run(output, tmp_path):
    """Build and start a supervisor; everything is stopped afterwards."""
    logs = LogForwarder(output, tmp_path / "log" / "spoton.log")
    supervisors = []

    def start(*specs: ChildSpec, tick=None) -> Supervisor:
        supervisor = Supervisor(specs, logs, cwd=tmp_path, tick=tick)
        supervisors.append(supervisor)
        supervisor.start()
        return supervisor

    yield start
    for supervisor in supervisors:
        supervisor.stop()
    logs.close()


def child(name: str, code: str, **options) -> ChildSpec:
    argv = (sys.executable, "-I", "-S", "-u", "-c", textwrap.dedent(code))
    return ChildSpec(name, argv, dict(os.environ), **options)


def watch_until(supervisor: Supervisor, condition, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "condition not met in time"
        supervisor.watch_once()
        time.sleep(0.02)


SLEEP = "import time; time.sleep(600)"


def test_lines_carry_their_childs_name_on_the_terminal_and_in_the_file(run, output, tmp_path):
    supervisor = run(
        child("one", "print('hello'); print('wörld'); print('no newline', end='')", restart=False),
        child("two", "import os; os.write(1, b'half '); os.write(1, b'line\\n\\xff\\n')", restart=False),
        child("three", "import sys; print('to stderr', file=sys.stderr)", restart=False),
    )
    watch_until(supervisor, lambda: supervisor.pids() == {} and output.getvalue().count("\n") == 9)
    assert sorted(output.getvalue().splitlines()) == [
        "one          | ended with status 0",
        "one          | hello",
        "one          | no newline",
        "one          | wörld",
        "three        | ended with status 0",
        "three        | to stderr",
        "two          | ended with status 0",
        "two          | half line",
        "two          | \N{REPLACEMENT CHARACTER}",
    ]
    assert (tmp_path / "log" / "spoton.log").read_text() == output.getvalue()


@pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("1", False)])
def test_names_are_coloured_on_a_terminal_only(monkeypatch, no_color, coloured):
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    terminal = Terminal()
    logs = LogForwarder(terminal)
    logs.line("web", "text")
    logs.close()
    assert ("\x1b[" in terminal.getvalue()) is coloured
    assert terminal.getvalue().endswith("| text\n")


def test_a_crashed_child_is_restarted(run, output):
    supervisor = run(child("victim", SLEEP))
    first = supervisor.pids()["victim"]
    os.kill(first, signal.SIGKILL)
    began = time.monotonic()
    watch_until(supervisor, lambda: supervisor.pids().get("victim") not in (None, first))
    assert 0.4 < time.monotonic() - began < 2
    assert "victim       | was ended by SIGKILL; starts again in 0.5 s" in output.getvalue()


def test_restarts_slow_down(run, output):
    supervisor = run(child("hopeless", "raise SystemExit(3)"))
    watch_until(supervisor, lambda: "again in 2 s" in output.getvalue())
    told = [line.split("again in ")[1] for line in output.getvalue().splitlines()]
    assert told == ["0.5 s", "1 s", "2 s"]


def test_what_a_crashed_child_started_dies_with_it(run, tmp_path):
    pid_file = tmp_path / "pid"
    supervisor = run(
        child("parent", f"""
            import subprocess, sys, time
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            open({str(pid_file)!r}, "w").write(str(child.pid) + "\\n")
            time.sleep(600)
        """, restart=False)
    )  # fmt: skip
    watch_until(supervisor, lambda: pid_file.exists() and pid_file.read_text().endswith("\n"))
    grandchild = psutil.Process(int(pid_file.read_text()))
    os.kill(supervisor.pids()["parent"], signal.SIGKILL)
    watch_until(supervisor, lambda: supervisor.pids() == {})
    assert psutil.wait_procs([grandchild], timeout=5)[1] == []


def test_stop_lets_every_child_finish(run, output):
    polite = """
        import signal, sys, time
        def end(*_):
            time.sleep(0.3)
            print("finished")
            sys.exit()
        signal.signal(signal.SIGTERM, end)
        print("ready")
        time.sleep(600)
    """
    supervisor = run(child("first", polite), child("second", polite))
    watch_until(supervisor, lambda: output.getvalue().count("ready") == 2)
    supervisor.stop()
    assert supervisor.pids() == {}
    watch_until(supervisor, lambda: output.getvalue().count("finished") == 2)


def test_a_child_that_ignores_the_request_is_killed_after_its_deadline(run, output):
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(600)"
    )
    supervisor = run(child("stubborn", stubborn, stop_seconds=0.3))
    watch_until(supervisor, lambda: "deaf" in output.getvalue())
    process = psutil.Process(supervisor.pids()["stubborn"])
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < 3
    assert not process.is_running()
    assert "still runs after 0 s: killed" in output.getvalue()


def test_ready_waits_for_the_first_healthy_answer(run, tmp_path):
    flag = tmp_path / "flag"
    code = f"import time; time.sleep(0.3); open({str(flag)!r}, 'w').close(); time.sleep(600)"
    supervisor = run(child("slow", code, healthy=flag.exists))
    assert not flag.exists()
    assert supervisor.wait_ready(timeout_seconds=10)
    assert flag.exists()


def test_a_child_that_never_comes_up_is_named(run):
    supervisor = run(child("broken", "raise SystemExit(7)", healthy=lambda: False))
    with pytest.raises(ChildFailedError, match="broken does not start: it ended with status 7"):
        supervisor.wait_ready(timeout_seconds=30)


def test_a_child_that_stops_answering_is_restarted(run, output, monkeypatch):
    monkeypatch.setattr("spoton.services.supervisor.HEALTH_INTERVAL_SECONDS", 0.02)
    answers = [True]
    supervisor = run(child("hung", SLEEP, healthy=lambda: answers[0]))
    assert supervisor.wait_ready(timeout_seconds=10)
    first = supervisor.pids()["hung"]
    answers[0] = False
    watch_until(supervisor, lambda: supervisor.pids().get("hung") not in (None, first))
    assert "did not answer 3 times" in output.getvalue()


def test_two_children_of_one_name_are_refused(tmp_path):
    logs = LogForwarder(io.StringIO())
    with pytest.raises(ValueError, match="different names"):
        Supervisor([child("same", SLEEP), child("same", SLEEP)], logs, cwd=tmp_path)
    logs.close()


def test_a_missing_program_is_reported_in_its_log(run, output):
    supervisor = run(ChildSpec("lost", ("/no/such/program",), dict(os.environ), restart=False))
    watch_until(supervisor, lambda: supervisor.pids() == {})
    watch_until(supervisor, lambda: "cannot start /no/such/program: No such file" in output.getvalue())


def test_exit_descriptions():
    assert describe_exit(0) == "ended with status 0"
    assert describe_exit(-int(signal.SIGTERM)) == "was ended by SIGTERM"


SUPERVISING_PROGRAM = """
import os, sys
from pathlib import Path
from spoton.services.logs import LogForwarder
from spoton.services.supervisor import ChildSpec, Supervisor

worker = '''
import sys, time
from spoton.services.spawn import spawn
child = spawn([sys.executable, "-c", "print('up', flush=True); import time; time.sleep(600)"])
time.sleep(600)
'''
specs = [
    ChildSpec(f"w{number}", (sys.executable, "-c", worker), dict(os.environ)) for number in range(2)
]
supervisor = Supervisor(specs, LogForwarder(sys.stdout), cwd=Path.cwd())
supervisor.handle_signals()
supervisor.start()
supervisor.run()
supervisor.stop()
print("stopped", flush=True)
"""


@pytest.fixture
def supervising_process():
    """A supervisor in a process of its own, with two children that each started one more, and all of them."""
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISING_PROGRAM], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    for _ in range(2):
        assert process.stdout.readline().rstrip().endswith("| up")
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) == 4
    yield process, family
    process.kill()
    process.wait()
    process.stdout.close()


def test_no_orphan_after_the_supervisor_is_killed(supervising_process):
    process, family = supervising_process
    process.kill()
    process.wait()
    assert psutil.wait_procs(family, timeout=5)[1] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_stop_everything(supervising_process, number):
    process, family = supervising_process
    process.send_signal(number)
    assert process.wait(timeout=15) == 0
    assert psutil.wait_procs(family, timeout=5)[1] == []
    assert "stopped" in process.stdout.read()


CELERY_PROGRAM = """
import os, sys
from pathlib import Path
from spoton.services import processes
from spoton.services.embedded import ephemeral_services
from spoton.services.logs import LogForwarder
from spoton.services.supervisor import Supervisor

with ephemeral_services(Path(sys.argv[1])) as services:
    env = {**os.environ, "DATABASE_URL": services.database_url, "REDIS_URL": services.redis_url}
    specs = processes.workers(env, cpu_workers=1, only=["associate"])
    supervisor = Supervisor(specs, LogForwarder(sys.stdout), cwd=Path.cwd())
    supervisor.handle_signals()
    supervisor.start()
    supervisor.run()
    supervisor.stop()
"""


@pytest.fixture
def celery_family():
    """A supervisor with services and a real Celery worker, once the worker's pool runs; and all of them."""
    folder = Path(tempfile.mkdtemp(prefix="spoton-t"))
    process = subprocess.Popen([sys.executable, "-c", CELERY_PROGRAM, str(folder)], cwd=REPOSITORY)
    deadline = time.monotonic() + 60
    pool: list[psutil.Process] = []
    while not pool:
        assert process.poll() is None
        assert time.monotonic() < deadline, "the worker's pool did not start"
        time.sleep(0.1)
        workers = [item for item in psutil.Process(process.pid).children() if "celery" in item.cmdline()]
        pool = [member for worker in workers for member in worker.children()]
    family = psutil.Process(process.pid).children(recursive=True)
    assert pool[0] in family
    yield process, family
    process.kill()
    process.wait()
    psutil.wait_procs(family, timeout=10)
    shutil.rmtree(folder)


@pytest.mark.e2e
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_celery_pool_and_services_end_with_the_supervisor(celery_family, number):
    process, family = celery_family
    process.send_signal(number)
    assert process.wait(timeout=30) == (-9 if number == signal.SIGKILL else 0)
    assert psutil.wait_procs(family, timeout=10)[1] == []
