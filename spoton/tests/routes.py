"""Every route of the product, found by walking the URL configuration, with the methods that its view takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from spoton.routing import websocket_urlpatterns

# of HTTP, besides those that read no more than GET does or describe the view
METHODS = ("get", "post", "put", "patch", "delete")
ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")


def http_routes() -> list[str]:
    """`GET api/v1/environments` and so on; the administration, which has rules of its own, is left out."""
    return sorted(
        f"{method} {route}"
        for route, view in _walk(get_resolver().url_patterns)
        for method in methods_of(view)
    )


def admin_routes() -> list[str]:
    """The administration's addresses, each argument filled in with 1."""
    (admin,) = [p for p in get_resolver().url_patterns if getattr(p, "app_name", None) == "admin"]
    return sorted("/admin/" + ARGUMENT.sub("1", route) for route, _ in _walk(admin.url_patterns))


def socket_routes() -> list[str]:
    """`ws/tracking/<uuid:task_id>` and so on; without the one that takes whatever is left."""
    return sorted(str(p.pattern) for p in websocket_urlpatterns if str(p.pattern))


def methods_of(view: Any) -> list[str]:
    """What a view takes: a class has a function for each method, a function says so in `methods`."""
    view_class = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if view_class is not None:
        return [name.upper() for name in METHODS if hasattr(view_class, name)]
    methods = getattr(view, "methods", None)
    if methods is None:
        raise AssertionError(
            f"{view.__module__}.{view.__name__} does not say which methods it takes; decorate it with "
            "spoton.api.methods.read_only, or make it a class."
        )
    return list(methods)


def arguments_of(route: str) -> list[str]:
    """Names of the parts of the path that vary."""
    return ARGUMENT.findall(route)


def filled(route: str, arguments: Mapping[str, Any]) -> str:
    """The path of a route, with these values in it."""
    return "/" + ARGUMENT.sub(lambda found: str(arguments[found[1]]), route)


def mismatches(routes: Iterable[str], table: Iterable[str], name: str) -> list[str]:
    """What is missing in a table of routes, and what is too much in it, in words."""
    routes, table = set(routes), set(table)
    missing = [
        f"{route!r} is missing: add who may use it, and an example request." for route in routes - table
    ]
    stale = [f"{route!r} is no route any more: take it out." for route in table - routes]
    return [f"{name}: {problem}" for problem in sorted(missing) + sorted(stale)]


def _walk(patterns: Iterable[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if pattern.app_name != "admin":
                yield from _walk(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route, pattern.callback
