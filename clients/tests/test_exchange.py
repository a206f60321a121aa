"""How a request is carried through, step by step: what would be sent, waited for and renewed."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from spoton_client import ApiError, SignedOutError, UnreachableError
from spoton_client.parts import Parts
from spoton_client.request import Request, error_of, path
from spoton_client.session import MOST_ATTEMPTS, Renew, Send, Session, Sleep, exchange

GET, POST = Request("GET", "/api/v1/environments"), Request("POST", "/api/v1/processing-tasks/start", body={})


def answer(status: int, data: Any = None, **headers: str) -> httpx.Response:
    if status < 400:
        body = {"success": True, "data": data, "meta": {}}
    else:
        body = {
            "success": False,
            "error": {"code": "some_code", "message": "Words.", "details": {"a": 1}},
            "request_id": "r1",
        }
    return httpx.Response(status, json=body, headers=headers)


def tokens(number: int, expires_in: float = 1800) -> httpx.Response:
    return answer(
        200, {"access": f"a{number}", "refresh": f"r{number}", "expires_in": expires_in, "user": {}}
    )


def walked(session: Session, steps: Any, *outcomes: Any) -> tuple[list[Any], Any]:
    """(the steps, what came of them) when requests have these outcomes, one after the other."""
    taken, following = [], iter(outcomes)

    def done(inner: Any) -> Any:
        try:
            step = next(inner)
            while True:
                taken.append(step)
                if isinstance(step, Renew):
                    step = inner.send(done(session.renewal(step.stale)))
                elif isinstance(step, Sleep):
                    step = inner.send(None)
                elif isinstance(outcome := next(following), Exception):
                    step = inner.throw(outcome)
                else:
                    step = inner.send(outcome)
        except StopIteration as end:
            return end.value

    return taken, done(steps)


def sent(taken: list[Any]) -> list[tuple[str, str | None]]:
    return [(step.request.path.rsplit("/", 1)[1], step.token) for step in taken if isinstance(step, Send)]


@pytest.fixture
def session() -> Session:
    """Signed in with the tokens a1 and r1."""
    made = Session("ada", "secret")
    walked(made, made.sign_in(), tokens(1))
    return made


def test_the_first_request_signs_in() -> None:
    new = Session("ada", "secret")
    taken, response = walked(new, exchange(new, GET), tokens(1), answer(200, "fine"))

    assert sent(taken) == [("login", None), ("environments", "a1")]
    assert response.json()["data"] == "fine"


def test_a_token_that_is_about_to_expire_is_renewed_first() -> None:
    new = Session("ada", "secret")
    walked(new, new.sign_in(), tokens(1, expires_in=5))
    taken, _ = walked(new, exchange(new, GET), tokens(2), answer(200))

    assert sent(taken) == [("refresh", None), ("environments", "a2")]


def test_a_refused_token_is_renewed_and_the_request_repeated_once(session: Session) -> None:
    taken, response = walked(session, exchange(session, POST), answer(401), tokens(2), answer(200))
    assert sent(taken) == [("start", "a1"), ("refresh", None), ("start", "a2")]
    assert response.status_code == 200

    with pytest.raises(ApiError) as refused:
        walked(session, exchange(session, GET), answer(401), tokens(3), answer(401))
    assert refused.value.status == 401


def test_who_finds_the_tokens_renewed_already_uses_them(session: Session) -> None:
    """Two requests were refused with the same token: the second one's turn comes after the first one's."""
    walked(session, session.renewal("a1"), tokens(2))
    taken, _ = walked(session, session.renewal("a1"))

    assert taken == []


def test_a_session_that_ended_is_begun_again(session: Session) -> None:
    taken, _ = walked(session, exchange(session, GET), answer(401), answer(401), tokens(2), answer(200))

    assert sent(taken) == [("environments", "a1"), ("refresh", None), ("login", None), ("environments", "a2")]


def test_after_logging_out_nothing_is_sent(session: Session) -> None:
    taken, _ = walked(session, session.log_out(), answer(204))
    assert sent(taken) == [("logout", None)]

    with pytest.raises(SignedOutError):
        walked(session, exchange(session, GET))


@pytest.mark.parametrize("status", [429, 503])
def test_busy_servers_are_given_the_time_they_ask_for(session: Session, status: int) -> None:
    busy = answer(status, **{"Retry-After": "3"})
    taken, response = walked(session, exchange(session, GET), busy, answer(200))

    assert [step.seconds for step in taken if isinstance(step, Sleep)] == [3.0]
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("request_", "outcome"),
    [
        (POST, answer(503, **{"Retry-After": "3"})),
        (POST, UnreachableError("away")),
        (GET, answer(429, **{"Retry-After": "600"})),
        (GET, answer(404)),
    ],
    ids=["not twice what may have been done", "nor unheard", "no endless waiting", "no use"],
)
def test_what_is_not_tried_again(session: Session, request_: Request, outcome: Any) -> None:
    with pytest.raises((ApiError, UnreachableError)):
        walked(session, exchange(session, request_), outcome)


def test_patience_ends(session: Session) -> None:
    with pytest.raises(UnreachableError):
        walked(session, exchange(session, GET), *[UnreachableError("away")] * MOST_ATTEMPTS)


def test_errors_tell_what_the_server_told() -> None:
    error = error_of(answer(409, **{"Retry-After": "7"}))

    assert (error.code, error.message, error.details) == ("some_code", "Words.", {"a": 1})
    assert (error.status, error.request_id, error.retry_after_s) == (409, "r1", 7.0)


def test_answers_of_proxies_are_errors_too() -> None:
    error = error_of(httpx.Response(502, text="<h1>Bad gateway</h1>"))

    assert (error.code, error.status) == ("unexpected_answer", 502)


def test_requests_are_written_as_the_server_reads_them() -> None:
    client = httpx.Client(base_url="http://spoton")

    def built(request: Request) -> httpx.Request:
        made = client.build_request(**request.arguments())
        made.read()
        return made

    asked = built(Request("GET", path("/a/{b}", b="c d/e"), {"overlay": True, "t": None, "from_": 3}))
    assert str(asked.url) == "http://spoton/a/c%20d%2Fe?overlay=true&from=3"
    assert built(Request("POST", "/a", body={"with_": "x"})).content == b'{"with":"x"}'
    form = built(Request("POST", "/a", body={"image": b"\xff\xd8", "limit": 3}))
    assert form.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert b'name="image"' in form.content
    assert b'name="limit"' in form.content


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_parts_of_a_stream_in_pieces_of_any_size(size: int) -> None:
    images = [b"\xff\xd8 one \r\n\r\n", b"\xff\xd8 two"]
    stream = b"".join(
        b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(i), i)
        for i in images
    )
    parts = Parts()

    pieces = [stream[i : i + size] for i in range(0, len(stream), size)]
    assert [part for piece in pieces for part in parts.fed(piece)] == images
