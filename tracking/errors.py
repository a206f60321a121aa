"""Errors of processing tasks and media."""

from environments.errors import ConflictError, DomainError, NotFoundError


class TaskNotFoundError(NotFoundError):
    code = "task_not_found"


class TaskNotRunningError(ConflictError):
    code = "task_not_running"


class PersonNotFoundError(NotFoundError):
    code = "person_not_found"


class FrameNotAvailableError(NotFoundError):
    """The frame lies outside the task, was never captured, or cannot be decoded any more."""

    code = "frame_not_available"


class MediaTimeoutError(DomainError):
    """No worker delivered the picture in time."""

    code = "media_timeout"
    status = 503
