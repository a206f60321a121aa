"""The embedded PostgreSQL and Redis: real servers, also after the worst kind of ending."""

import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import psutil
import psycopg
import pytest
import redis as redis_py
from kombu import Connection

from spoton.services import places
from spoton.services.embedded import AlreadyRunningError, EmbeddedServices, ServiceError, ephemeral_services
from spoton.services.redis import celery_broker_url

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder():
    """A short folder: pytest's own would be too long for a socket's path."""
    path = Path(tempfile.mkdtemp(prefix="spoton-t"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def server_processes(folder: Path) -> list[psutil.Process]:
    """Processes whose command line names the folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if process.pid != os.getpid() and str(folder) in " ".join(process.info["cmdline"] or []):
            found.append(process)
    return found


def wait_until_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert not alive


def test_both_services_answer_and_are_gone_after_stop(folder):
    with ephemeral_services(folder) as services:
        assert services.healthy() == {"postgres": True, "redis": True}
        with psycopg.connect(services.database_url) as connection:
            version, checksums, encoding = connection.execute(
                "SELECT current_setting('server_version_num')::int / 10000,"
                " current_setting('data_checksums'), current_setting('server_encoding')"
            ).fetchone()
            assert (version, checksums, encoding) == (18, "on", "UTF8")
            connection.execute("CREATE EXTENSION vector")
            assert connection.execute("SELECT '[1,0]'::vector <=> '[0,1]'::vector").fetchone() == (1.0,)
        with redis_py.Redis.from_url(services.redis_url) as client:
            assert client.ping()
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-lru"}
        processes = server_processes(folder)
        assert len(processes) >= 2
    wait_until_gone(processes)
    assert not (folder / "run" / "services.json").exists()


def test_servers_listen_on_private_sockets_only(folder):
    with ephemeral_services(folder) as services:
        for service in (services.postgres, services.redis):
            connections = psutil.Process(service.pid).net_connections(kind="inet")
            assert [item for item in connections if item.status == psutil.CONN_LISTEN] == []
        for socket_dir in (services.postgres.socket_dir, services.redis.socket_path.parent):
            assert stat.S_IMODE(socket_dir.stat().st_mode) == 0o700


def test_data_outlives_a_restart(folder):
    with ephemeral_services(folder) as services, psycopg.connect(services.database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    with ephemeral_services(folder) as services, psycopg.connect(services.database_url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def test_other_commands_find_the_running_services(folder):
    with ephemeral_services(folder) as services:
        note = folder / "run" / "services.json"
        assert json.loads(note.read_text()) == {
            "database_url": services.database_url,
            "redis_url": services.redis_url,
            "pid": os.getpid(),
        }
        assert stat.S_IMODE(note.stat().st_mode) == 0o600


def test_services_given_by_url_are_used_not_started(folder):
    with ephemeral_services(folder, database_url="postgresql://db/x", redis_url="redis://r/0") as services:
        assert (services.postgres, services.redis) == (None, None)
        assert (services.database_url, services.redis_url) == ("postgresql://db/x", "redis://r/0")
        assert services.healthy() == {}


def test_second_owner_is_refused_with_the_first_ones_number(folder):
    with (
        ephemeral_services(folder),
        pytest.raises(AlreadyRunningError, match=rf"process {os.getpid()}"),
    ):
        EmbeddedServices(folder).start()


def test_two_folders_run_side_by_side(folder):
    with ephemeral_services(folder / "a") as one, ephemeral_services(folder / "b") as two:
        assert one.healthy() == two.healthy() == {"postgres": True, "redis": True}
        assert one.database_url != two.database_url


@pytest.mark.parametrize("name", ["deep/" + "x" * 120, "with space & sign"])
def test_paths_unfit_for_sockets_use_a_short_private_folder(folder, name):
    with ephemeral_services(folder / name) as services:
        assert services.healthy() == {"postgres": True, "redis": True}
        root = services.redis.socket_path.parents[1]
        assert folder not in root.parents
        assert root.stat().st_uid == os.geteuid()
        assert not stat.S_IMODE(root.stat().st_mode) & 0o066
    shutil.rmtree(root)


def test_socket_folder_of_someone_else_is_refused(folder):
    target = folder / "target"
    target.mkdir()
    (folder / "link").symlink_to(target)
    with pytest.raises(ServiceError, match="not a folder of this user's"):
        places.private_dir(folder / "link", None)


if os.geteuid() == 0:  # for other users there is nothing to see here

    def test_root_runs_the_servers_as_an_unprivileged_user_below_a_closed_folder(folder):
        folder.chmod(0o700)  # as /root is
        with ephemeral_services(folder) as services:
            assert services.healthy() == {"postgres": True, "redis": True}
            for service in (services.postgres, services.redis):
                process = psutil.Process(service.pid)
                assert 0 not in process.uids()
                assert set(process.uids()) == {service.data_dir.stat().st_uid}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def start_in_another_process(folder: Path) -> tuple[subprocess.Popen, list[psutil.Process]]:
    code = f"""
        import time
        from pathlib import Path
        from spoton.services.embedded import EmbeddedServices
        EmbeddedServices(Path({str(folder)!r}), durable=False).start()
        print("ready", flush=True)
        time.sleep(600)
    """
    owner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout.readline() == "ready\n"
    return owner, [psutil.Process(owner.pid), *psutil.Process(owner.pid).children(recursive=True)]


def test_no_server_outlives_a_killed_owner(folder):
    owner, processes = start_in_another_process(folder)
    assert len(processes) > 3
    owner.kill()
    owner.wait()
    owner.stdout.close()
    wait_until_gone(processes[1:])


def test_start_recovers_when_everything_was_killed(folder):
    owner, processes = start_in_another_process(folder)
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):  # the kernel may be quicker
            process.kill()
    owner.wait()
    owner.stdout.close()
    # left behind: pid file, sockets, note; now with the number of a process that is no server of ours
    pid_file = folder / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with ephemeral_services(folder) as services:
        assert services.healthy() == {"postgres": True, "redis": True}


def test_start_ends_servers_that_still_run_on_the_same_data(folder):
    owner, processes = start_in_another_process(folder)
    # stopped, the owner cannot take its servers along; unlocked, the clone looks free
    owner.send_signal(signal.SIGSTOP)
    (folder / "run" / "up.lock").unlink()
    try:
        with ephemeral_services(folder) as services:
            assert services.healthy() == {"postgres": True, "redis": True}
            assert services.postgres.pid not in [process.pid for process in processes]
    finally:
        owner.kill()
        owner.wait()
        owner.stdout.close()


def test_interrupted_first_start_is_started_over(folder):
    (folder / "postgres.new").mkdir(parents=True)
    (folder / "postgres.new" / "half").write_text("made")
    with ephemeral_services(folder) as services:
        assert services.healthy()["postgres"]
    assert not (folder / "postgres.new").exists()


def test_data_of_another_version_is_refused_and_kept(folder):
    (folder / "postgres").mkdir()
    (folder / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(ServiceError, match="made by PostgreSQL 16"), ephemeral_services(folder):
        pass
    assert (folder / "postgres" / "PG_VERSION").read_text() == "16\n"
    assert server_processes(folder) == []


def test_dead_services_are_restarted(folder):
    with ephemeral_services(folder) as services:
        os.kill(services.redis.pid, signal.SIGKILL)
        os.kill(services.postgres.pid, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while (services.redis.alive() or services.postgres.alive()) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert services.restart_dead() == ["Redis", "PostgreSQL"]
        assert services.healthy() == {"postgres": True, "redis": True}


def test_one_that_cannot_start_does_not_keep_the_other_from_it(folder):
    """And it is tried again whenever we are called."""
    with ephemeral_services(folder) as services:
        version = folder / "postgres" / "PG_VERSION"
        good = version.read_text()
        for service in (services.redis, services.postgres):
            os.kill(service.pid, signal.SIGKILL)
        psutil.wait_procs([psutil.Process(services.redis.pid), psutil.Process(services.postgres.pid)], 5)
        version.write_text("16\n")
        with pytest.raises(ServiceError, match="made by PostgreSQL 16"):
            services.restart_dead()
        assert services.redis.healthy()
        with pytest.raises(ServiceError, match="made by PostgreSQL 16"):
            services.restart_dead()
        version.write_text(good)
        assert services.restart_dead() == ["PostgreSQL"]
        assert services.healthy() == {"postgres": True, "redis": True}


@pytest.mark.parametrize(
    ("redis_url", "broker_url"),
    [
        ("unix:///run/redis.sock?db=0", "redis+socket:///run/redis.sock?virtual_host=0"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
        ("unix:///run/redis.sock?db=3", "redis+socket:///run/redis.sock?virtual_host=3"),
        ("redis://:secret@host:6379/1", "redis://:secret@host:6379/1"),
        ("rediss://host/0", "rediss://host/0"),
    ],
)
def test_broker_url(redis_url, broker_url):
    assert celery_broker_url(redis_url) == broker_url


def test_kombu_reaches_the_embedded_redis(folder):
    url = "postgresql://unused/x"
    with (
        ephemeral_services(folder, database_url=url) as services,
        Connection(celery_broker_url(services.redis_url)) as connection,
    ):
        queue = connection.SimpleQueue("hello")
        queue.put({"number": 5})
        assert queue.get(timeout=5).payload == {"number": 5}
        queue.close()
