"""Shapes of what an environment has when."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from rest_framework import serializers

from environments.date_ranges import DateRanges, Day
from environments.models import Environment
from environments.serializers import MomentField, SpanSerializer
from environments.spans import Span
from environments.validators import validate_timezone

_RESULTS = "For which results are stored, from recordings or from live cameras."


class DateRangesQuerySerializer(serializers.Serializer):
    start = serializers.DateTimeField(required=False)
    end = serializers.DateTimeField(required=False, help_text="Exclusive.")
    tz = serializers.CharField(
        required=False,
        max_length=64,
        validators=[validate_timezone],
        help_text="IANA name of the zone of local days; the environment's without it.",
    )


class CameraRangesSerializer(serializers.Serializer):
    camera_id = serializers.SlugField()
    ranges = SpanSerializer(many=True, help_text="Recorded.")
    processed = SpanSerializer(many=True, help_text=_RESULTS)


class LocalSpanSerializer(SpanSerializer):
    start_local = serializers.CharField(help_text="ISO 8601 with the offset then in force.")
    end_local = serializers.CharField()


class UtcDaySerializer(serializers.Serializer):
    date = serializers.DateField()
    cameras = serializers.DictField(child=SpanSerializer(many=True))
    common = SpanSerializer(many=True)
    processed = SpanSerializer(many=True)


class LocalDaySerializer(serializers.Serializer):
    date = serializers.DateField()
    cameras = serializers.DictField(child=LocalSpanSerializer(many=True))
    common = LocalSpanSerializer(many=True)
    processed = LocalSpanSerializer(many=True)


class DaysSerializer(serializers.Serializer):
    utc = UtcDaySerializer(many=True)
    local = LocalDaySerializer(many=True)


class DateRangesSerializer(serializers.Serializer):
    environment_id = serializers.SlugField()
    timezone = serializers.CharField(help_text="Of local days.")
    start = MomentField(allow_null=True, help_text="Of the first recording or result.")
    end = MomentField(allow_null=True)
    cameras = CameraRangesSerializer(many=True)
    common = SpanSerializer(many=True, help_text="When all cameras that have recordings were recording.")
    processed = SpanSerializer(many=True, help_text=_RESULTS)
    days = DaysSerializer()


def date_ranges_data(environment: Environment, ranges: DateRanges) -> dict[str, Any]:
    zone = ZoneInfo(ranges.timezone)

    def local(span: Span) -> dict[str, Any]:
        moments = {"start_local": span.start, "end_local": span.end}
        return {
            "start": span.start,
            "end": span.end,
            "duration_s": span.duration_s,
            **{k: v.astimezone(zone).isoformat(timespec="milliseconds") for k, v in moments.items()},
        }

    def local_day(day: Day) -> dict[str, Any]:
        return {
            "date": day.date,
            "cameras": {slug: [local(span) for span in spans] for slug, spans in day.cameras.items()},
            "common": [local(span) for span in day.common],
            "processed": [local(span) for span in day.processed],
        }

    return {
        "environment_id": environment.slug,
        "timezone": ranges.timezone,
        "start": ranges.start,
        "end": ranges.end,
        "cameras": [
            {"camera_id": slug, "ranges": spans, "processed": ranges.processed.get(slug, [])}
            for slug, spans in ranges.cameras.items()
        ],
        "common": ranges.common,
        "processed": ranges.results,
        "days": {"utc": ranges.days_utc, "local": [local_day(day) for day in ranges.days_local]},
    }
