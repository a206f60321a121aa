"""Where stored pictures lie: under MEDIA_ROOT, or in a bucket where one is configured."""

from __future__ import annotations

from typing import Any

from spoton.env import Env


def picture_storage(env: Env) -> dict[str, Any]:
    """The entry of `STORAGES` for pictures of persons and snapshots."""
    if not env.s3_bucket:
        return {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            # names follow from what is shown: storing once more is the same file
            "OPTIONS": {"allow_overwrite": True},
        }
    # only here: importing them takes a while
    from boto3.s3.transfer import TransferConfig
    from botocore.config import Config

    addressing = env.s3_addressing
    if addressing == "auto":
        addressing = "path" if env.s3_endpoint else "virtual"
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": addressing},
        # somebody waits for a picture, and a media worker for the next
        connect_timeout=3,
        read_timeout=10,
        retries={"max_attempts": 2},
        # S3-compatible servers know fewer checksums than AWS
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": env.s3_bucket,
            "endpoint_url": env.s3_endpoint or None,
            "region_name": env.s3_region or None,
            "access_key": env.s3_key_id.get_secret_value() or None,
            "secret_key": env.s3_secret_key.get_secret_value() or None,
            "querystring_auth": True,
            "querystring_expire": env.s3_url_seconds,
            # none is private; buckets without access lists, AWS' default, refuse any
            "default_acl": None,
            "client_config": config,
            # pictures are small: threads would only cost
            "transfer_config": TransferConfig(use_threads=False),
        },
    }
