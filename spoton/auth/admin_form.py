"""Signing in to the administration: guesses count as those of the API do."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from rest_framework.exceptions import Throttled

from spoton.auth.guessing import counted_guess
from spoton.auth.throttling import address_of


class SlowedSignInForm(AdminAuthenticationForm):
    def clean(self) -> dict[str, Any]:
        if not self.cleaned_data.get("username") or not self.cleaned_data.get("password"):
            return super().clean()
        try:
            with counted_guess(username=self.cleaned_data["username"], address=address_of(self.request)):
                return super().clean()
        except Throttled as error:
            minutes = -(-int(error.wait) // 60)
            raise ValidationError(
                f"Too many failures. Try again in {minutes} minute{'s' if minutes != 1 else ''}."
            ) from error
