"""Tests run on a real PostgreSQL and a real Redis of their own, started here and gone afterwards."""

from __future__ import annotations

import pytest

# hardware that not every machine has may skip even where nothing else may
_MAY_SKIP = {"gpu"}


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
