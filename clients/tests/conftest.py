"""The running product as a program of somebody else sees it."""

from __future__ import annotations

import io
import runpy
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from spoton.product import Product
from spoton_client import AsyncSpotOn, SpotOn

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.fixture(scope="package")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """One of its own, as it is after its first start: the examples take the whole recording."""
    with Product(tmp_path_factory.mktemp("clients")) as running:
        yield running


@pytest.fixture(scope="package")
def spoton(product: Any) -> Iterator[SpotOn]:
    """The demo user, signed in once: signing in is throttled."""
    with SpotOn(product.base_url, product.username, product.password) as client:
        yield client


@pytest.fixture
async def patient(product: Any, spoton: SpotOn) -> AsyncIterator[AsyncSpotOn]:
    """The same user and session, asynchronously."""
    spoton.auth_me()
    async with AsyncSpotOn(product.base_url, product.username, product.password) as client:
        client._session._tokens = spoton._session._tokens
        yield client


def example(name: str) -> Callable[..., Any]:
    """The `main` of an example."""
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]


@pytest.fixture(scope="package")
def processed(spoton: SpotOn) -> tuple[str, str]:
    """(a task that all tests here work with: the whole recording; what the example said that processed it)."""
    said = io.StringIO()
    with redirect_stdout(said):
        task_id = example("who_was_where")(spoton, "campus")
    return task_id, said.getvalue()


@pytest.fixture
def played(spoton: SpotOn, processed: tuple[str, str]) -> Iterator[str]:
    """The task, slowly played back: its sockets stay open."""
    task_id, _ = processed
    spoton.playback_seek(task_id, position=0)
    spoton.playback_play(task_id, speed=0.25)
    yield task_id
    spoton.playback_follow(task_id)
