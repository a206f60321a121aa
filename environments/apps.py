from django.apps import AppConfig


class EnvironmentsConfig(AppConfig):
    """Environments, their cameras, zones and recordings, and who may see them."""

    name = "environments"
    default_auto_field = "django.db.models.BigAutoField"
