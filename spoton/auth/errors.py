"""What can go wrong when someone signs in or stays signed in."""

from environments.errors import DomainError


class InvalidCredentialsError(DomainError):
    code = "invalid_credentials"
    status = 401

    def __init__(self) -> None:
        # the same words whether the user exists, is inactive or the password is wrong
        super().__init__(
            "User name or password is wrong. Check both; an administrator can set a new password."
        )


class TokenNotValidError(DomainError):
    code = "token_not_valid"
    status = 401

    def __init__(self) -> None:
        super().__init__("This token is not valid or not valid any more. Sign in again.")
