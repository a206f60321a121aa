"""Pages of lists."""

from __future__ import annotations

from rest_framework.settings import api_settings


def pages_ordered_by(*fields: str) -> type:
    """The project's pagination, in another order; the fields together name one row."""
    default = api_settings.DEFAULT_PAGINATION_CLASS
    name = "".join(field.strip("-").title().replace("_", "") for field in fields)
    return type(f"{default.__name__}By{name}", (default,), {"ordering": fields})
