"""The administration of users; and the bookkeeping of tokens left out: it shows what administrators work with."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from environments.admin_parts import MembershipInline
from spoton.auth.admin_form import SlowedSignInForm
from spoton.auth.sessions import sessions_end_all

for model in (BlacklistedToken, OutstandingToken, get_user_model()):
    admin.site.unregister(model)

admin.site.login_form = SlowedSignInForm


@admin.register(get_user_model())
class MemberUserAdmin(UserAdmin):
    """Django's users, with their roles in environments.

    A new password ends a user's sessions by itself (`spoton.auth.sessions`).
    """

    inlines = (MembershipInline,)
    list_display = ("username", "full_name", "email", "roles", "is_staff", "is_active", "last_login")
    actions = ("sign_out_everywhere",)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).prefetch_related("memberships__environment")

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        # on the first page only name and password are asked; other staff give roles on an environment's page
        return self.inlines if obj and request.user.is_superuser else ()

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and not obj.is_active:
            # else they would go on once the user may sign in again
            sessions_end_all(user=obj)

    @admin.action(description="Sign out everywhere", permissions=["change"])
    def sign_out_everywhere(self, request: HttpRequest, queryset: QuerySet) -> None:
        names = []
        for user in queryset:
            sessions_end_all(user=user)
            self.log_change(request, user, "Signed out everywhere.")
            names.append(user.get_username())
        self.message_user(request, f"Signed out everywhere: {', '.join(names)}.", messages.SUCCESS)

    @admin.display(description="name")
    def full_name(self, user: Any) -> str:
        return user.get_full_name()

    @admin.display(description="roles")
    def roles(self, user: Any) -> str:
        if user.is_superuser:
            return "Admin everywhere"
        return (
            ", ".join(f"{m.environment.slug}: {m.get_role_display()}" for m in user.memberships.all()) or "–"
        )
