"""The running product answers whatever is sent to it as its OpenAPI document says; `manage.py fuzz_api` asks for long.

No server errors, no status, header, content type or body that is not documented, nothing wrong accepted, nothing right
called malformed, no method too many, no answer without a token.
"""

from __future__ import annotations

import json
import re
import secrets

import pytest

from spoton.fuzz.known import forgive, known_values, operator_token, stop_all
from spoton.fuzz.run import ENDLESS, run_fuzz
from spoton.product import Product

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]
# the answers that show that operations were reached, not only refused
REACHED = {
    "DELETE /api/v1/environments/{env_id}/sessions/{session_id}",
    "GET /api/v1/environments/{env_id}/date-ranges",
    "GET /api/v1/media/frames/{task_id}/{camera_id}",
    "GET /api/v1/processing-tasks/{task_id}/status",
    "POST /api/v1/processing-tasks/{task_id}/stop",
}


def document(product):
    return json.loads(product.request("GET", "/api/schema/?format=json")[2])


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """One of its own: whatever is asked for here must neither meet nor leave anything elsewhere."""
    with Product(tmp_path_factory.mktemp("fuzzed")) as running:
        yield running


@pytest.fixture(scope="module")
def tokens(product):
    return {"superuser": product.token(), "operator": operator_token(product, secrets.token_urlsafe(16))}


@pytest.fixture(scope="module")
def known(product, tokens):
    yield known_values(product, tokens["operator"])
    stop_all(product, tokens["superuser"])
    forgive(product)


@pytest.fixture
def operations(product):
    return {
        f"{method.upper()} {path}"
        for path, methods in document(product)["paths"].items()
        for method in methods
        if not re.search(ENDLESS, path)
    }


def test_operators_ask_for_anything(product, tokens, known, operations, tmp_path):
    """A few requests to every operation, right ones and wrong ones."""
    report = run_fuzz(
        product.base_url,
        token=tokens["operator"],
        known=known,
        seconds=90,
        folder=tmp_path,
        most_examples=3,
        phases=("examples", "fuzzing"),
    )
    assert not report.problems, "\n".join(report.problems)
    assert report.operations == len(operations)
    assert report.cases > 3 * report.operations
    assert report.reached >= {name for name in REACHED if name.startswith("GET")}


def test_superusers_try_the_limits(product, tokens, known, tmp_path):
    """For half a minute every limit of every parameter, methods that there are not, and requests without a token."""
    report = run_fuzz(
        product.base_url,
        token=tokens["superuser"],
        known=known,
        seconds=30,
        folder=tmp_path,
        phases=("coverage",),
    )
    assert not report.problems, "\n".join(report.problems)
    assert {"200", "401", "404", "405", "422"} <= set(report.statuses)


def test_whoever_lies_is_found_out(product, tokens, tmp_path):
    """With a document that does not know a status, the fuzz says so: it can fail."""
    schema = document(product)
    path = "/api/v1/auth/me"
    responses = schema["paths"][path]["get"]["responses"]
    responses["204"] = responses.pop("200")
    schema["paths"] = {path: schema["paths"][path]}
    false = tmp_path / "false.json"
    false.write_text(json.dumps(schema))
    report = run_fuzz(
        product.base_url,
        token=tokens["superuser"],
        known={},
        seconds=20,
        folder=tmp_path,
        most_examples=1,
        document=str(false),
    )
    assert any("Undocumented status code" in problem for problem in report.problems), report
