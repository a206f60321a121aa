"""The interactive pages of the API work where there is no internet."""

from __future__ import annotations

import pytest

from spoton.console.tests.conftest import chromium  # noqa: F401 - a fixture

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture
def page(product, chromium):  # noqa: F811
    """A page whose way to everywhere else is cut; what it asked for there, and what broke, is kept."""
    page = chromium.new_page()
    page.foreign, page.broken = [], []

    def ours_only(route):
        if route.request.url.startswith((product.base_url, "data:", "blob:")):
            route.continue_()
        else:
            page.foreign.append(route.request.url)
            route.abort()

    page.route("**/*", ours_only)
    page.on("pageerror", lambda error: page.broken.append(str(error)))
    page.on("response", lambda r: page.broken.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    yield page
    page.close()


@pytest.mark.parametrize(
    ("path", "operation", "summary"),
    [
        ("/api/docs/", "#operations-auth-auth_login .opblock-summary-description", "Sign in"),
        ("/api/redoc/", "[data-section-id='tag/auth/operation/auth_login'] h2", "Sign in"),
    ],
)
def test_a_page_shows_every_operation(product, page, path, operation, summary):
    page.goto(product.base_url + path)
    page.wait_for_selector(operation, timeout=60_000)
    assert summary in page.inner_text(operation)
    assert page.foreign == []
    assert page.broken == []


def test_an_operation_can_be_tried_in_the_page(product, page):
    """Signing in from Swagger UI: the address of the product is right, and the answer is shown."""
    page.goto(f"{product.base_url}/api/docs/")
    login = page.locator("#operations-auth-auth_login")
    login.locator(".opblock-summary-control").click(timeout=60_000)
    login.locator(".try-out__btn").click()
    login.locator(".execute").click()
    login.locator(".live-responses-table tbody .response-col_status").wait_for(timeout=30_000)
    assert "401" in login.locator(".live-responses-table tbody .response-col_status").inner_text()
    assert "invalid_credentials" in login.locator(".live-responses-table").inner_text()
