"""Fields of requests that several apps share."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class NumberField(serializers.FloatField):
    """A number, and nothing that Python would take for one: `true` is not 1."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)
