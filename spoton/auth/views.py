"""Sign in, refresh, sign out, who am I."""

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import AnonRateThrottle
from rest_framework.views import APIView

from spoton.auth import sessions
from spoton.auth.guessing import counted_guess
from spoton.auth.serializers import (
    LoginAnswerSerializer,
    LoginSerializer,
    ProfileSerializer,
    RefreshSerializer,
    TokensSerializer,
    profile_data,
    tokens_data,
)
from spoton.auth.throttling import LoginThrottle, address_of

_PROFILE = {
    "id": 7,
    "username": "ada",
    "full_name": "Ada Keller",
    "email": "ada@example.org",
    "is_superuser": False,
    "role": "operator",
    "memberships": [{"environment_id": "campus", "name": "Lindenhof Campus", "role": "operator"}],
}
_TOKENS = {
    "token_type": "Bearer",
    "access": "eyJhbGciOi...",
    "refresh": "eyJhbGciOi...",
    "expires_in": 1800,
    "refresh_expires_in": 1209600,
}
_REFRESH_EXAMPLE = OpenApiExample("Refresh token", value={"refresh": "eyJhbGciOi..."}, request_only=True)


class _OpenView(APIView):
    """Needs no access token; a stale one in the header is not even looked at."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (AnonRateThrottle,)


class LoginView(_OpenView):
    throttle_classes = (LoginThrottle, AnonRateThrottle)

    @extend_schema(
        operation_id="auth_login",
        tags=["auth"],
        summary="Sign in",
        description="Errors: `invalid_credentials` (401), `validation_error` (422), `throttled` (429, with "
        "`Retry-After`): too many attempts of this address for this name, or failures of either.",
        auth=[],
        request=LoginSerializer,
        responses=LoginAnswerSerializer,
        examples=[
            OpenApiExample("Sign in", value={"username": "ada", "password": "..."}, request_only=True),
            OpenApiExample("Signed in", value={**_TOKENS, "user": _PROFILE}, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        serializer = LoginSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        who = {"username": serializer.validated_data["username"], "address": address_of(request)}
        with counted_guess(**who):
            user, pair = sessions.session_begin(request=request._request, **serializer.validated_data)
        return Response({**tokens_data(pair), "user": profile_data(user)})


class RefreshView(_OpenView):
    @extend_schema(
        operation_id="auth_refresh",
        tags=["auth"],
        summary="Exchange a refresh token for a new pair",
        description="The refresh token sent is used up. Shown again it is refused with "
        "`token_not_valid` (401), later than half a minute its session ends too: then someone has a copy.",
        auth=[],
        request=RefreshSerializer,
        responses=TokensSerializer,
        examples=[_REFRESH_EXAMPLE, OpenApiExample("New pair", value=_TOKENS, response_only=True)],
    )
    def post(self, request: Request) -> Response:
        serializer = RefreshSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        pair = sessions.session_continue(refresh_token=serializer.validated_data["refresh"])
        return Response(tokens_data(pair))


class LogoutView(_OpenView):
    @extend_schema(
        operation_id="auth_logout",
        tags=["auth"],
        summary="Sign out",
        description="Ends the session of this refresh token: neither it nor the session's access tokens work "
        "any more. Signing out twice is fine.",
        auth=[],
        request=RefreshSerializer,
        responses={204: OpenApiResponse(description="Signed out.")},
        examples=[_REFRESH_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        serializer = RefreshSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        sessions.session_end(refresh_token=serializer.validated_data["refresh"])
        return Response(status=status.HTTP_204_NO_CONTENT)


class MeView(APIView):
    @extend_schema(
        operation_id="auth_me",
        tags=["auth"],
        summary="The caller's profile, highest role and memberships",
        responses=ProfileSerializer,
        examples=[OpenApiExample("An operator", value=_PROFILE, response_only=True)],
    )
    def get(self, request: Request) -> Response:
        return Response(profile_data(request.user))
