"""The web server as it is really run, at its most talkative: what it writes about requests and sockets."""

from __future__ import annotations

import os
import subprocess
import time

import httpx
import pytest
from rest_framework_simplejwt.tokens import AccessToken
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect

from spoton.auth.sessions import PASSWORD_CLAIM, SESSION_CLAIM
from spoton.services import processes

pytestmark = pytest.mark.e2e
TASK = "6f1f3f0e-53c5-4a0e-9b0e-0a4a4f6f7a11"
NONSENSE = "n0nsense-t0ken-0123456789"


@pytest.fixture
def server(tmp_path):
    """Its address and what it has written. Its database has no tables: whatever asks it fails."""
    port = processes.free_port("127.0.0.1", 18400)
    spec = processes.web("127.0.0.1", port, {**os.environ, "SPOTON_LOG_LEVEL": "DEBUG"})
    output = tmp_path / "log"
    with output.open("wb") as file:
        process = subprocess.Popen(spec.argv, env=spec.env, stdout=file, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + 60
            while not spec.healthy():
                assert process.poll() is None, output.read_text()
                assert time.monotonic() < deadline, output.read_text()
                time.sleep(0.2)
            yield f"localhost:{port}", output
        finally:
            process.terminate()
            process.wait(10)


def well_signed() -> str:
    """A token that only the database could refuse."""
    token = AccessToken()
    token["user_id"], token[SESSION_CLAIM], token[PASSWORD_CLAIM] = "1", "some session", "some password"
    return str(token)


def open_socket(url: str, **options) -> None:
    try:
        with connect(url, open_timeout=10, **options) as socket:
            socket.recv(timeout=10)
            socket.recv(timeout=10)
    except (WebSocketException, InvalidStatus, TimeoutError):
        pass


def test_tokens_of_requests_and_sockets_are_not_written(server):
    address, output = server
    signed = well_signed()
    answers = [
        httpx.get(
            f"http://{address}/api/v1/auth/me?token={token}", headers={"Authorization": f"Bearer {token}"}
        )
        for token in (NONSENSE, signed)
    ]
    assert [answer.status_code for answer in answers] == [401, 500]
    for token in (NONSENSE, signed):
        open_socket(f"ws://{address}/ws/tracking/{TASK}?token={token}")
        open_socket(f"ws://{address}/ws/tracking/{TASK}", subprotocols=["bearer", token])
        open_socket(f"ws://{address}/nowhere?token={token}")
    text = output.read_text()
    assert "Internal Server Error: /api/v1/auth/me" in text
    # errors behind sockets are told too
    assert text.count("Traceback") > 1
    assert NONSENSE not in text
    assert signed not in text
    assert all(token not in answer.text for answer in answers for token in (NONSENSE, signed))
