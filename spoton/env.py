"""SpotOn's settings from the environment: typed, bounded, and refused by name when unknown or impossible."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import secrets
from functools import cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

BASE_DIR = Path(__file__).resolve().parent.parent
PREFIX = "SPOTON_"

CommaList = Annotated[tuple[str, ...], NoDecode]
PathList = Annotated[tuple[Path, ...], NoDecode]


class Env(BaseSettings):
    """Every setting an operator can make. Names in the environment carry the prefix `SPOTON_`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    database_url: str = Field("", validation_alias="DATABASE_URL", description="PostgreSQL; empty: embedded")
    redis_url: str = Field("", validation_alias="REDIS_URL", description="Redis; empty: embedded")

    debug: bool = False
    secret_key: str = Field("", description="at least 32 characters; empty: one is made and kept under var/")
    var_dir: Path = Field(BASE_DIR / "var", description="everything SpotOn writes")
    allowed_hosts: CommaList = ("localhost", "127.0.0.1", "[::1]")
    cors_origins: CommaList = ()
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["line", "json"] = Field("line", description="json: one object per line")
    metrics_token: str = Field(
        "", description="bearer token that may read /metrics; empty: administrators only"
    )

    media_roots: PathList = Field((), description="folders recordings may lie in, besides var/footage")
    stream_hosts: CommaList = Field((), description="host or host:port that live cameras may be read from")
    allow_webcams: bool = False
    models_dir: Path | None = Field(None, description="folder of ONNX and PyTorch weights for `auto`")

    detector: str = Field("auto", description="default detector of new tasks")
    embedder: str = Field("auto", description="default embedder of new tasks")
    cpu_workers: int = Field(0, ge=0, le=256, description="perceive workers without GPU; 0: one per core")
    associate_workers: int = Field(
        0, ge=0, le=256, description="associate workers of this host; 0: one per 8 cores"
    )
    device: str = Field("cpu", pattern=r"^(cpu|cuda(:\d+)?)$", description="set for each worker by `workers`")
    queue: str = Field("", pattern=r"^[a-z0-9.\-]*$", description="set for each worker by `workers`")
    associate_queue: str = Field("", description="set for each worker by `workers`")
    database_pool: int = Field(
        0,
        ge=0,
        le=256,
        description="connections that the threads of a web server share, set by `up`; 0: each its own",
    )

    batch_seconds: float = Field(1.0, gt=0.05, le=10, description="length of one recorded batch")
    window_batches: int = Field(6, ge=1, le=64, description="batches of one task in flight at once")
    frame_ttl_seconds: int = Field(60, ge=5, le=3600, description="life of a frame in the frame store")

    frame_store_mb: int = Field(
        192, ge=16, le=65536, description="most memory that frames take in Redis; the oldest give way"
    )

    match_hours: float = Field(
        24.0, ge=0, le=8760, description="persons of tasks this far apart are matched by appearance; 0: never"
    )
    appearance_days: int = Field(
        30, ge=1, le=3650, description="how long appearances and stored pictures of persons are kept"
    )
    store_crops: bool = Field(True, description="whether pictures of persons outlive the frame store")

    s3_bucket: str = Field("", description="bucket for stored pictures; empty: files under var/media")
    s3_endpoint: str = Field("", description="http(s)://host of an S3-compatible server; empty: AWS")
    s3_region: str = ""
    s3_addressing: Literal["auto", "virtual", "path"] = Field(
        "auto", description="bucket in the host's name or in the path; auto: path where an endpoint is set"
    )
    s3_key_id: SecretStr = Field(SecretStr(""), description="empty: as boto3 finds it, for example a role")
    s3_secret_key: SecretStr = Field(SecretStr(""), validate_default=True)
    s3_url_seconds: int = Field(
        300, ge=10, le=604800, description="life of an address that the bucket itself answers"
    )

    compat_environments: CommaList = Field(
        (), description="environments that the earlier web client may use without signing in; empty: none"
    )

    proxies: int = Field(0, ge=0, le=8, description="reverse proxies in front whose X-Forwarded-For counts")
    media_url_minutes: int = Field(5, ge=1, le=1440, description="life of a signed address of a picture")
    access_token_minutes: int = Field(30, ge=1, le=1440)
    refresh_token_days: int = Field(14, ge=1, le=365)

    @field_validator(
        "allowed_hosts", "cors_origins", "stream_hosts", "media_roots", "compat_environments", mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("database_url")
    @classmethod
    def _postgres(cls, value: str) -> str:
        try:
            conninfo_to_dict(value)
        except ProgrammingError:
            # without the cause: it repeats the address with its password
            raise ValueError(
                "must be a PostgreSQL address, postgresql://user:password@host:port/name"
            ) from None
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must be a Redis address, redis://host:port/number, rediss:// or unix://")
        return value

    @field_validator("secret_key", "metrics_token")
    @classmethod
    def _long_enough(cls, value: str) -> str:
        if value and len(value) < 32:
            raise ValueError("must have at least 32 characters")
        return value

    @field_validator("s3_endpoint")
    @classmethod
    def _server(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError("must be http://host:port or https://host:port, without user and password")
        return value

    @field_validator("s3_secret_key")
    @classmethod
    def _both_or_none(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        key_id = info.data.get("s3_key_id", SecretStr(""))
        if bool(value.get_secret_value()) != bool(key_id.get_secret_value()):
            raise ValueError(f"{PREFIX}S3_KEY_ID and {PREFIX}S3_SECRET_KEY go together: set both or none")
        return value

    @property
    def footage_dir(self) -> Path:
        return self.var_dir / "footage"


class InvalidSettingsError(SystemExit):
    """A setting is unknown or impossible; the message names it."""


@cache
def load() -> Env:
    """Read the environment once per process.

    Raises:
        InvalidSettingsError: names every unknown or impossible setting.
    """
    problems = _unknown_names()
    try:
        env = Env()
    except ValidationError as error:
        for item in error.errors():
            name = str(item["loc"][0])
            shown = name if name.isupper() else PREFIX + name.upper()
            value = (
                "(hidden)"
                if any(word in shown for word in ("KEY", "URL", "TOKEN", "ENDPOINT"))
                else repr(item.get("input"))
            )
            problems.append(f"{shown}={value}: {item['msg']}")
    if problems:
        raise InvalidSettingsError(
            "SpotOn cannot start, these settings are wrong:\n  " + "\n  ".join(problems)
        )
    return env


def secret_key(env: Env) -> str:
    """The configured key, or one made at first start and kept, readable by its owner only."""
    if env.secret_key:
        return env.secret_key
    path = env.var_dir / "secret_key"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        env.var_dir.mkdir(parents=True, exist_ok=True)
        # link() decides between two processes that start at once: one key wins, both read it
        draft = path.with_name(f"secret_key.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return path.read_text().strip()


def service_urls(env: Env) -> tuple[str, str]:
    """(DATABASE_URL, REDIS_URL): as configured, else those of the embedded services running in this clone."""
    if env.database_url and env.redis_url:
        return env.database_url, env.redis_url
    running: dict[str, str] = {}
    with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
        running = json.loads((env.var_dir / "run" / "services.json").read_text())
    return (
        env.database_url or running.get("database_url", ""),
        env.redis_url or running.get("redis_url", ""),
    )


def _unknown_names() -> list[str]:
    known = {str(field.validation_alias or PREFIX + name.upper()) for name, field in Env.model_fields.items()}
    known.add("SPOTON_TEST_NO_SKIP")
    # without the prefix, which would make all of them look alike
    short = {name.removeprefix(PREFIX): name for name in known}
    problems = []
    for name in sorted(os.environ):
        # pydantic takes names in lower case too, so these can be mistyped as well
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            close = difflib.get_close_matches(name.upper().removeprefix(PREFIX), short, n=1)
            hint = f"; did you mean {short[close[0]]}?" if close else ""
            problems.append(f"{name}: no such setting{hint}")
    return problems
