"""Bodies that hold nothing else than what is known."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class KnownFieldsSerializer(serializers.Serializer):
    """Refuses fields that there are not, by name: a misspelt one would silently change nothing."""

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        unknown = set(self.initial_data) - set(self.fields)
        if unknown:
            raise serializers.ValidationError(dict.fromkeys(sorted(unknown), "There is no such field."))
        return data
