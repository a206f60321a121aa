"""Tests run on a real PostgreSQL and a real Redis of their own, started here and gone afterwards."""

from __future__ import annotations

from typing import Any

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
    # every test signs in by hand, more often in a minute than people may
    with product.redis() as client:
        for key in client.scan_iter("*throttle_login*"):
            client.delete(key)
    return product


@pytest.fixture(scope="session")
def s3_server() -> Any:
    """A real S3 server on this machine; its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["local", "s3"])
def picture_storage(request: pytest.FixtureRequest, settings: Any, tmp_path: Any) -> str:
    """Stored pictures lie in a folder, or in a bucket, of this test alone; which of them."""
    from pydantic import SecretStr

    from spoton.picture_storage import picture_storage

    settings.MEDIA_ROOT = tmp_path / "media"
    if request.param == "s3":
        configured = {
            "s3_bucket": f"pictures-{abs(hash(tmp_path))}",
            "s3_endpoint": request.getfixturevalue("s3_server"),
            "s3_region": "eu-central-2",
            "s3_key_id": SecretStr("AKIDEXAMPLE"),
            "s3_secret_key": SecretStr("a-secret-that-nobody-may-see"),
            "s3_url_seconds": 90,
        }
        settings.ENV = settings.ENV.model_copy(update=configured)
        settings.STORAGES = {**settings.STORAGES, "pictures": picture_storage(settings.ENV)}
        from django.core.files.storage import storages

        where = {"LocationConstraint": settings.ENV.s3_region}
        storages["pictures"].bucket.create(CreateBucketConfiguration=where)
    return request.param
