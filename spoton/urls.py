"""Every route of the product. No path ends in a slash: redirects break preflight and POST."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerView

from spoton import health
from spoton.api.asyncapi import asyncapi
from spoton.api.schema import OpenApiView
from spoton.console.views import console, favicon
from spoton.system.prometheus import metrics

admin.site.site_header = "SpotOn administration"
admin.site.site_title = "SpotOn"
admin.site.index_title = "Environments, recordings and people"
admin.site.site_url = "/"

urlpatterns = [
    path("", console, name="console"),
    path("favicon.ico", favicon),
    path("admin/", admin.site.urls),
    path("health", health.health),
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("metrics", metrics),
    path("api/v1/auth/", include("spoton.auth.urls")),
    path("api/v1/", include("environments.urls")),
    path("api/v1/", include("tracking.urls")),
    path("api/v1/", include("analytics.urls")),
    path("api/v1/", include("spoton.system.urls")),
    path("api/v1/", include("spoton.compat.urls")),
    path("api/schema/", OpenApiView.as_view(), name="schema"),
    path("api/asyncapi", asyncapi, name="asyncapi"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path(
        "api/redoc/",
        SpectacularRedocView.as_view(url_name="schema", template_name="api/redoc.html"),
        name="redoc",
    ),
]
handler400 = "spoton.api.errors.bad_request"
handler404 = "spoton.api.errors.page_not_found"
handler500 = "spoton.api.errors.server_error"
