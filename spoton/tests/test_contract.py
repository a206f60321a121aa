"""The OpenAPI document is whole and true: of every operation, of what is answered, of codes and of times."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from environments.errors import DomainError
from spoton.api import errors
from spoton.api.schema import openapi_document
from spoton.tests.authorisation_table import HTTP, Least, ask
from spoton.tests.conftest import undone
from tracking.tests.factories import MOMENT

API = "api/v1/"
DOCUMENTED = [r for r, e in HTTP.items() if API in r and e.least != Least.WEB_CLIENT]
TIME_NAMES = re.compile(r"(?:\w+_)?(?:time|at|timestamp)|start|end")
# no times of the clock: how long, and days of a zone of one's choice
NO_TIMES = re.compile(r"\w*dwell_time")


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    """(`GET /api/v1/...`, operation)."""
    for path, methods in openapi_document()["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def documented(route: str) -> dict[str, Any]:
    method, _, path = route.partition(" ")
    path = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)
    return openapi_document()["paths"][path][method.lower()]


def validate(value: Any, schema: dict[str, Any]) -> None:
    whole = {**schema, "components": openapi_document()["components"]}
    jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker()).validate(value)


def contents(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from operation.get("requestBody", {}).get("content", {}).values()
    for response in operation["responses"].values():
        yield from response.get("content", {}).values()


# -- the document --------------------------------------------------------------------------------------------


def test_it_is_valid_openapi():
    document = openapi_document()
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()


def test_every_route_is_in_it_and_nothing_else():
    there = {name for name, _ in operations()}
    due = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", r.replace(" ", " /")) for r in DOCUMENTED}
    assert there == due


@pytest.mark.parametrize("route", DOCUMENTED)
def test_every_operation_is_described(route):
    operation = documented(route)
    for part in ("operationId", "summary", "description", "tags"):
        assert operation.get(part), f"{route} has no {part}: give the view a docstring or extend_schema one"
    examples = [*contents(operation), *operation.get("parameters", ())]
    assert any("example" in e or "examples" in e for e in examples), f"{route} has no example"
    codes = {code for code, response in operation["responses"].items() if code >= "400"}
    due = {"400", "401", "403", "404", "406", "422", "429", "503"}
    due |= {"413", "415"} if "requestBody" in operation else set()
    assert due <= codes


def test_operation_ids_are_unique():
    ids = [operation["operationId"] for _, operation in operations()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("route", DOCUMENTED)
def test_security_is_as_it_is(route):
    schemes = {name for one in documented(route).get("security", ()) for name in one}
    if HTTP[route].least == Least.PUBLIC:
        assert not schemes
    else:
        assert "bearer" in schemes


@pytest.mark.parametrize("route", DOCUMENTED)
def test_examples_fit_their_schemas(route):
    for content in contents(documented(route)):
        for title, example in content.get("examples", {}).items():
            try:
                validate(example["value"], content["schema"])
            except jsonschema.ValidationError as error:
                pytest.fail(f"{route}, {title}: {error.message} at {error.json_path}")


def test_times_are_documented_as_such():
    for name, schema in openapi_document()["components"]["schemas"].items():
        for field, shape in schema.get("properties", {}).items():
            if TIME_NAMES.fullmatch(field) and "string" in str(shape.get("type")):
                assert shape.get("format") == "date-time", f"{name}.{field}"


# -- answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("caller", ["superuser", "viewer", "anonymous"])
def test_what_is_answered_is_as_documented(world, caller):
    for route in DOCUMENTED:
        with undone():
            answer = ask(world, caller, route, HTTP[route])
        check_answer(route, answer)


def check_answer(route: str, answer: Any) -> None:
    """Status, content type and body are documented, and times are times."""
    responses = documented(route)["responses"]
    assert str(answer.status_code) in responses, f"{route}: {answer.status_code}"
    kind = answer.get("Content-Type", "").split(";")[0]
    content = responses[str(answer.status_code)].get("content", {})
    assert kind in content or not (kind or content), f"{route}: {kind}"
    if kind == "application/json":
        validate(answer.json(), content[kind]["schema"])
        wrong = [f"{where}: {value}" for where, value in times(answer.json()) if not MOMENT.fullmatch(value)]
        assert not wrong, f"these are not ISO 8601 UTC with milliseconds: {wrong}"


def times(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Every text that by its name is a time."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, str) and TIME_NAMES.fullmatch(name) and not NO_TIMES.fullmatch(name):
                yield f"{where}.{name}", inner
            yield from times(inner, f"{where}.{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from times(inner, f"{where}[{number}]")


def test_times_are_found_wherever_they_are():
    answer = {"data": [{"created_at": "2026", "x": {"start": "now", "avg_dwell_time": 3.5}}]}
    assert dict(times(answer)) == {".data[0].created_at": "2026", ".data[0].x.start": "now"}


# -- error codes ---------------------------------------------------------------------------------------------


def codes() -> set[str]:
    """Of every error that is raised on purpose, and of those that are made elsewhere."""
    found, kinds = set(), [DomainError]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if kind is not DomainError and not kind.__module__.startswith("spoton.tests"):
            found.add(kind.code)
    found |= {code for _, code in errors._CODES}
    source = "".join(path.read_text() for path in _sources())
    return found | set(re.findall(r'error_body\(\s*"(\w+)"', source))


def _sources() -> Iterator[Path]:
    root = Path(__file__).resolve().parents[2]
    for app in ("spoton", "environments", "tracking", "analytics", "exports"):
        yield from (p for p in (root / app).rglob("*.py") if "tests" not in p.parts)


def test_the_codes_in_the_docs_are_those_that_there_are():
    table = (Path(__file__).resolve().parents[2] / "docs/API.md").read_text().split("| Status | Codes |")[1]
    rows = [line.split("|")[2] for line in table.split("\n\n")[0].splitlines() if line.count("|") >= 3]
    told = set(re.findall(r"`([a-z_]+)`", re.sub(r"\(.*?\)", "", "".join(rows))))
    assert told == codes()
