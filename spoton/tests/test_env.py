"""Settings from the environment: unknown and impossible ones are refused by name, secrets never shown."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from storages.backends.s3 import S3Storage

from spoton import env
from spoton.picture_storage import picture_storage

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def load(monkeypatch):
    """The settings read from just this environment."""

    def read(**variables: str) -> env.Env:
        for name in list(os.environ):
            if name.upper().startswith(env.PREFIX) or name in ("DATABASE_URL", "REDIS_URL"):
                monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return env.load.__wrapped__()

    return read


def refused(load, **variables: str) -> str:
    with pytest.raises(env.InvalidSettingsError) as raised:
        load(**variables)
    return str(raised.value)


# -- good ones -----------------------------------------------------------------------------------------------


def test_everything_has_a_default(load):
    settings = load()
    assert (settings.database_url, settings.redis_url, settings.debug) == ("", "", False)
    assert (settings.detector, settings.stream_hosts, settings.media_roots) == ("auto", (), ())


def test_values_are_typed(load, tmp_path):
    settings = load(
        SPOTON_VAR_DIR=str(tmp_path),
        SPOTON_MEDIA_ROOTS=f"{tmp_path}/a, {tmp_path}/b,",
        SPOTON_STREAM_HOSTS="10.0.0.2:554,camera.example",
        SPOTON_ALLOW_WEBCAMS="true",
        SPOTON_BATCH_SECONDS="0.5",
        SPOTON_DEVICE="cuda:3",
        SPOTON_MODELS_DIR=str(tmp_path),
        DATABASE_URL="postgresql://u:p@db:5432/spoton",
        REDIS_URL="rediss://:p@redis:6379/1",
    )
    assert settings.media_roots == (tmp_path / "a", tmp_path / "b")
    assert settings.stream_hosts == ("10.0.0.2:554", "camera.example")
    assert (settings.allow_webcams, settings.batch_seconds, settings.device) == (True, 0.5, "cuda:3")
    assert settings.footage_dir == tmp_path / "footage"


@pytest.mark.parametrize(
    "url", ["postgres://u@h/d", "host=/run/pg dbname=spoton", "postgresql:///d?host=/run/pg"]
)
def test_all_ways_to_write_a_postgresql_address(load, url):
    assert load(DATABASE_URL=url).database_url == url


# -- unknown ones --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SPOTON_CPU_WORKER", "SPOTON_CPU_WORKERS"),
        ("SPOTON_ALOWED_HOSTS", "SPOTON_ALLOWED_HOSTS"),
        ("SPOTON_DATABASE_URL", "DATABASE_URL"),
        ("SPOTON_REDIS_URL", "REDIS_URL"),
        ("spoton_cpu_worker", "SPOTON_CPU_WORKERS"),
    ],
)
def test_a_mistyped_name_is_refused_with_the_one_that_was_meant(load, name, meant):
    message = refused(load, **{name: "1"})
    assert name in message
    assert f"did you mean {meant}?" in message


def test_a_name_like_no_other_is_refused_without_a_guess(load):
    message = refused(load, SPOTON_QQQQQQ="1")
    assert "SPOTON_QQQQQQ: no such setting" in message
    assert "did you mean" not in message


def test_other_programs_settings_are_none_of_our_business(load):
    load(SPOT_ON="1", MYSPOTON_X="1")


S3 = {
    "SPOTON_S3_BUCKET": "pictures",
    "SPOTON_S3_KEY_ID": "AKIDEXAMPLE",
    "SPOTON_S3_SECRET_KEY": "a-secret-that-nobody-may-see",
}


def test_pictures_lie_in_a_folder_unless_a_bucket_is_named(load):
    assert "FileSystemStorage" in picture_storage(load())["BACKEND"]
    entry = picture_storage(load(**S3))
    assert "S3Storage" in entry["BACKEND"]
    assert (entry["OPTIONS"]["bucket_name"], entry["OPTIONS"]["querystring_expire"]) == ("pictures", 300)


@pytest.mark.parametrize(
    ("settings", "host", "path"),
    [
        ({"SPOTON_S3_REGION": "eu-west-1"}, "pictures.s3.eu-west-1.amazonaws.com", "/a.jpg"),
        ({"SPOTON_S3_ENDPOINT": "http://minio:9000"}, "minio:9000", "/pictures/a.jpg"),
        (
            {"SPOTON_S3_ENDPOINT": "https://oss.example", "SPOTON_S3_ADDRESSING": "virtual"},
            "pictures.oss.example",
            "/a.jpg",
        ),
    ],
)
def test_how_a_bucket_is_addressed(load, settings, host, path):
    entry = picture_storage(load(**S3, **settings))
    url = urlsplit(S3Storage(**entry["OPTIONS"]).url("a.jpg"))
    assert (url.netloc, url.path) == (host, path)
    assert "X-Amz-Expires=300" in url.query


def test_secrets_of_the_bucket_are_never_shown(load):
    settings = load(**S3)
    assert "nobody" not in f"{settings!r} {settings} {S3Storage(**picture_storage(settings)['OPTIONS'])!r}"
    message = refused(load, **{**S3, "SPOTON_S3_KEY_ID": ""})
    assert "SPOTON_S3_SECRET_KEY=(hidden)" in message
    assert "set both or none" in message
    message = refused(load, SPOTON_S3_ENDPOINT="http://user:nobody@minio:9000")
    assert "without user and password" in message
    assert "nobody" not in message


# -- impossible ones -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SPOTON_CPU_WORKERS", "-1"),
        ("SPOTON_CPU_WORKERS", "many"),
        ("SPOTON_DEBUG", "perhaps"),
        ("SPOTON_LOG_LEVEL", "LOUD"),
        ("SPOTON_DEVICE", "tpu"),
        ("SPOTON_BATCH_SECONDS", "0"),
        ("SPOTON_BATCH_SECONDS", "nan"),
        ("SPOTON_WINDOW_BATCHES", "0"),
        ("SPOTON_QUEUE", "Gpu 0"),
        ("SPOTON_FRAME_TTL_SECONDS", "1e9"),
        ("SPOTON_S3_ADDRESSING", "dns"),
    ],
)
def test_an_impossible_value_is_named_and_shown(load, name, value):
    message = refused(load, **{name: value})
    assert f"{name}={value!r}" in message


def test_all_mistakes_are_told_at_once(load):
    message = refused(load, SPOTON_DEBUGG="1", SPOTON_CPU_WORKERS="-1", SPOTON_LOG_LEVEL="x")
    assert all(name in message for name in ("SPOTON_DEBUGG", "SPOTON_CPU_WORKERS", "SPOTON_LOG_LEVEL"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SPOTON_SECRET_KEY", "hunter2-short"),
        ("SPOTON_METRICS_TOKEN", "hunter2-short"),
        ("DATABASE_URL", "mysql://root:hunter2@db/spoton"),
        ("DATABASE_URL", "hunter2"),
        ("REDIS_URL", "http://:hunter2@redis"),
    ],
)
def test_keys_and_addresses_are_never_shown(load, name, value):
    message = refused(load, **{name: value})
    assert f"{name}=(hidden)" in message
    assert "hunter2" not in message


# -- the key -------------------------------------------------------------------------------------------------


def test_a_key_is_made_once_and_kept_for_the_owner_alone(load, tmp_path):
    settings = load(SPOTON_VAR_DIR=str(tmp_path / "var"))
    key = env.secret_key(settings)
    assert len(key) >= 32
    assert env.secret_key(settings) == key
    path = tmp_path / "var" / "secret_key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["secret_key"]


def test_a_configured_key_is_taken(load, tmp_path):
    settings = load(SPOTON_VAR_DIR=str(tmp_path), SPOTON_SECRET_KEY="k" * 40)
    assert env.secret_key(settings) == "k" * 40
    assert not list(tmp_path.iterdir())


# -- where the services are ----------------------------------------------------------------------------------


def test_embedded_services_are_found_by_their_note(load, tmp_path):
    settings = load(SPOTON_VAR_DIR=str(tmp_path))
    assert env.service_urls(settings) == ("", "")
    (tmp_path / "run").mkdir()
    note = tmp_path / "run" / "services.json"
    note.write_text('{"database_url": "postgresql:///a", "redis_url": "unix:///b"}')
    assert env.service_urls(settings) == ("postgresql:///a", "unix:///b")
    note.write_text("half writ")
    assert env.service_urls(settings) == ("", "")


def test_configured_services_come_first(load, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "services.json").write_text(
        '{"database_url": "postgresql:///a", "redis_url": "unix:///b"}'
    )
    settings = load(SPOTON_VAR_DIR=str(tmp_path), REDIS_URL="redis://elsewhere")
    assert env.service_urls(settings) == ("postgresql:///a", "redis://elsewhere")


# -- at start ------------------------------------------------------------------------------------------------


def manage(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SPOTON_") and not k.endswith("_URL")}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**kept, "SPOTON_VAR_DIR": str(tmp_path), **variables},
        capture_output=True,
        text=True,
    )


def test_without_services_everything_can_be_imported_and_checked(tmp_path):
    """Settings, URLs, ASGI and Celery need no database and no Redis to be read."""
    code = "import spoton.asgi, spoton.urls, spoton.celery; spoton.celery.app.loader.import_default_modules()"
    done = manage(tmp_path, "shell", "--no-imports", "-c", code)
    assert done.returncode == 0, done.stderr
    done = manage(tmp_path, "check")
    assert done.returncode == 0, done.stderr


def test_a_wrong_setting_stops_the_start_with_words(tmp_path):
    done = manage(tmp_path, "check", SPOTON_CPU_WORKER="2")
    assert done.returncode != 0
    assert "did you mean SPOTON_CPU_WORKERS?" in done.stderr
    assert "Traceback" not in done.stderr
