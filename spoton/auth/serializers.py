"""Shapes of the authentication endpoints."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rest_framework import serializers

from environments.models import Role
from environments.selectors import memberships_of
from spoton.auth.sessions import TokenPair


class LoginSerializer(serializers.Serializer):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1024, trim_whitespace=False, write_only=True)


class RefreshSerializer(serializers.Serializer):
    refresh = serializers.CharField(max_length=4096, help_text="The refresh token received last.")


class TokensSerializer(serializers.Serializer):
    access = serializers.CharField(help_text="Send as `Authorization: Bearer <access>`.")
    refresh = serializers.CharField(help_text="Good for one use.")
    token_type = serializers.CharField(default="Bearer")
    expires_in = serializers.IntegerField(help_text="Seconds until `access` expires.")
    refresh_expires_in = serializers.IntegerField(help_text="Seconds until `refresh` expires.")


class MembershipSerializer(serializers.Serializer):
    environment_id = serializers.SlugField()
    name = serializers.CharField()
    role = serializers.ChoiceField(Role.choices)


class ProfileSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    username = serializers.CharField()
    full_name = serializers.CharField()
    email = serializers.CharField()
    is_superuser = serializers.BooleanField()
    role = serializers.ChoiceField(Role.choices, allow_null=True, help_text="The highest role held anywhere.")
    memberships = MembershipSerializer(many=True)


class LoginAnswerSerializer(TokensSerializer):
    user = ProfileSerializer()


def tokens_data(pair: TokenPair) -> dict[str, Any]:
    data = asdict(pair)
    return {"token_type": "Bearer", "expires_in": data.pop("access_expires_in"), **data}


def profile_data(user: Any) -> dict[str, Any]:
    memberships = memberships_of(user)
    roles = [role for _, role in memberships] + ([Role.ADMIN] if user.is_superuser else [])
    return {
        "id": user.pk,
        "username": user.get_username(),
        "full_name": user.get_full_name(),
        "email": user.email,
        "is_superuser": user.is_superuser,
        "role": max(roles, key=lambda role: role.rank, default=None),
        "memberships": [
            {"environment_id": environment.slug, "name": environment.name, "role": role}
            for environment, role in memberships
        ],
    }
