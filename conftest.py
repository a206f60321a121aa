"""Tests run on a real PostgreSQL and a real Redis of their own, started here and gone afterwards."""

from __future__ import annotations

import pytest

# hardware that not every machine has, and recordings that SpotOn may not pass on, may be missing even where nothing
# else may
_MAY_SKIP = {"gpu", "recordings"}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """With SPOTON_TEST_NO_SKIP=1 a skipped test is a failed one: CI proves that it ran everything."""
    from spoton.testing import skips_forbidden

    outcome = yield
    report = outcome.get_result()
    if report.skipped and skips_forbidden() and not _MAY_SKIP & {m.name for m in item.iter_markers()}:
        if hasattr(report, "wasxfail"):
            return
        report.outcome = "failed"
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.longrepr = f"this test was skipped where none may be: {reason}"


@pytest.fixture(scope="session")
def small_scene(tmp_path_factory: pytest.TempPathFactory):
    """Eight seconds of two overlapping campus cameras with five people, with exact truth."""
    from fixtures.definitions import load_definition
    from fixtures.scene import SceneConfig, generate_scene

    config = SceneConfig(seed=3, people=5, duration_s=8.0, cameras=("c01", "c02"))
    return generate_scene(load_definition("campus"), config, tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory):
    """The whole product as users run it: `manage.py up` with its own database, workers and footage."""
    from spoton.product import Product

    with Product(tmp_path_factory.mktemp("product")) as running:
        yield running


@pytest.fixture
def live_spoton(product):
    """The running product for browser tests: `base_url`, `username`, `password`."""
    return product
