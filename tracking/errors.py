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


class PictureNotFoundError(NotFoundError):
    """A stored picture that does not exist, or no longer."""

    code = "picture_not_found"


class PicturesAwayError(DomainError):
    """The storage of pictures does not answer."""

    code = "pictures_unavailable"
    status = 503


class MediaTimeoutError(DomainError):
    """No worker delivered the picture in time."""

    code = "media_timeout"
    status = 503


class EmbedderNotAvailableError(DomainError):
    """The workers cannot run the network that described the environment's persons."""

    code = "embedder_not_available"
    status = 503


class PersonsOverlapError(ConflictError):
    """They were at two places at once, so they are two."""

    code = "persons_overlap"


class SamePersonError(ConflictError):
    """They are one person already."""

    code = "same_person"


class ChangeNotFoundError(NotFoundError):
    code = "person_change_not_found"


class ChangeUndoneError(ConflictError):
    code = "person_change_undone"


class ChangeBlockedError(ConflictError):
    """Later changes touch the same rows; details name them, the one to undo first in front."""

    code = "person_change_blocked"


class NothingToSplitError(DomainError):
    """All or none of the person's rows would go."""

    code = "nothing_to_split"
    status = 422


class NothingToPlayError(ConflictError):
    """No batch of the task is committed yet."""

    code = "nothing_to_play"
