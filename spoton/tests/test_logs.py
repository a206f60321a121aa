"""Log records as lines and as JSON objects, with what they are about."""

from __future__ import annotations

import io
import json
import logging

import pytest
from celery import current_app, signals

from environments.redis import redis_client
from spoton.api.request_id import RequestIdFilter
from spoton.logs import ContextFilter, JsonFormatter
from spoton.services.logs import LogForwarder
from spoton.task_signals import subject
from tracking.log_context import bind, bind_only, log_context
from workers.tasks import associate

TASK = "0b0c8b1e-7c1b-4a53-9b3d-0f2f6a1f4c11"
SHARE = {"task_id": TASK, "number": 3, "camera": "c01", "calibration": {"P": [[0.0] * 4] * 3}}


@pytest.fixture(autouse=True)
def _nothing_bound() -> None:
    """Tests before these have worked on tasks in this thread."""
    bind_only()


@pytest.fixture
def write(settings):
    """Logs with a formatter of the settings and returns what was written."""

    def write(name: str, log) -> str:
        stream = io.StringIO()
        handler = logging.StreamHandler(stream)
        options = settings.LOGGING["formatters"]["line"]
        line = logging.Formatter(options["format"], options["datefmt"], options["style"])
        handler.setFormatter(JsonFormatter() if name == "json" else line)
        handler.addFilter(RequestIdFilter())
        handler.addFilter(ContextFilter())
        logger = logging.getLogger("spoton.tests.logs")
        logger.addHandler(handler)
        try:
            log(logger)
        finally:
            logger.removeHandler(handler)
        return stream.getvalue()

    return write


def test_a_line_ends_with_what_it_is_about(write):
    with log_context(task=TASK, camera="c01"):
        bind(batch=7)
        text = write("line", lambda log: log.warning("slow"))
    assert text.endswith(f"WARNING spoton.tests.logs: slow [task={TASK} camera=c01 batch=7]\n")
    assert write("line", lambda log: log.warning("slow")).endswith("slow\n"), "nothing is left over"


def test_json_is_one_object_per_line_with_exceptions_inside(write):
    def log(logger):
        try:
            raise ValueError("two\nlines")
        except ValueError:
            logger.exception("batch %d failed", 7)

    with log_context(task=TASK, batch=7):
        text = write("json", log)
    assert text.count("\n") == 1
    fields = json.loads(text)
    assert fields["exception"].endswith("ValueError: two\nlines")
    assert (fields["level"], fields["logger"], fields["message"]) == (
        "ERROR",
        "spoton.tests.logs",
        "batch 7 failed",
    )
    assert (fields["task_id"], fields["batch"]) == (TASK, 7)
    assert fields["time"].endswith("Z")
    assert "request_id" not in fields


@pytest.mark.parametrize(
    ("name", "args", "about"),
    [
        ("workers.perceive", [SHARE], {"task": TASK, "batch": 3, "camera": "c01"}),
        (
            "workers.perceive",
            [[SHARE, SHARE | {"camera": "c02"}]],
            {"task": TASK, "batch": 3, "camera": "c01,c02"},
        ),
        ("workers.associate", [TASK], {"task": TASK}),
        ("workers.fetch_frame", [TASK, "c01", 12, "reply"], {"task": TASK, "camera": "c01", "instant": 12}),
        ("exports.run", ["j"], {"job": "j"}),
        ("tracking.watch_tasks", [], {}),
        ("somebody.elses", [TASK], {}),
    ],
)
def test_a_message_tells_what_it_is_about(name, args, about):
    assert subject(name, args) == about


def test_flower_is_shown_the_subject_of_a_message_not_its_long_arguments():
    redis_client().flushall()
    current_app.send_task("workers.perceive", args=[SHARE], queue="cpu.7")
    current_app.send_task("tracking.watch_tasks", queue="cpu.7")
    plain, perceive = (json.loads(raw)["headers"] for raw in redis_client().lrange("cpu.7", 0, -1))
    assert perceive["argsrepr"] == f"task={TASK} batch=3 camera=c01"
    assert plain["argsrepr"] == "()"
    redis_client().delete("cpu.7")


def test_what_a_celery_task_logs_carries_its_ids(write):
    """As the worker calls it: signals before and after the task itself."""
    associate.push_request(delivery_info={"routing_key": "associate"})
    try:
        signals.task_prerun.send(sender=associate, task=associate, args=[TASK], kwargs={})
        fields = json.loads(write("json", lambda log: log.warning("associating")))
        assert (fields["task_id"], fields["queue"]) == (TASK, "associate")
        signals.task_postrun.send(sender=associate, task=associate, args=[TASK], kwargs={})
        assert "task_id" not in json.loads(write("json", lambda log: log.warning("done")))
    finally:
        associate.pop_request()


def test_the_supervisor_keeps_json_whole_and_makes_json_of_other_text(tmp_path):
    output = io.StringIO()
    logs = LogForwarder(output, tmp_path / "log", json_lines=True)
    logs.line("associate", '{"level": "INFO", "message": "hello"}')
    logs.line("web", "Listening")
    logs.close()
    assert [json.loads(line) for line in output.getvalue().splitlines()] == [
        {"process": "associate", "level": "INFO", "message": "hello"},
        {"process": "web", "message": "Listening"},
    ]
    assert (tmp_path / "log").read_text() == output.getvalue()
