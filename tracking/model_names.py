"""Which detectors and embedders users may ask for. The engine knows how to build them, see `workers`.

Users name weights by their file name in the operator's models folder (SPOTON_MODELS_DIR), never by a path:
they must not make a worker open files of their choice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath

from environments.errors import ValidationFailedError

# name to whether a file of weights follows it: never, maybe, always
DETECTORS = {"motion": "never", "yolox": "always", "yolov8": "always", "fasterrcnn": "maybe", "auto": "never"}
EMBEDDERS = {"descriptor": "never", "onnx": "always", "clip": "maybe", "auto": "never"}
_WRITTEN = {"never": "{}", "maybe": "{}[:FILE]", "always": "{}:FILE"}
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+ -]{0,199}")


def check_detector(name: str | None) -> None:
    """Refuse a detector that users may not ask for; None stands for the operator's default.

    Raises:
        ValidationFailedError: says what may be asked for.
    """
    if name is not None:
        _check("detector", name, DETECTORS)


def check_embedder(name: str | None) -> None:
    """As `check_detector`, for embedders."""
    if name is not None:
        _check("embedder", name, EMBEDDERS)


def shown_model(spec: str) -> str:
    """A detector or embedder without the folders of this host: `yolox:/models/x.onnx` becomes `yolox:x.onnx`."""
    name, colon, path = spec.partition(":")
    return name + colon + PurePath(path).name


def _check(what: str, asked: str, known: Mapping[str, str]) -> None:
    name, colon, file = asked.partition(":")
    choices = ", ".join(_WRITTEN[weights].format(each) for each, weights in known.items())
    if name not in known:
        raise _refused(what, f"There is no {what} {name!r}. Choose one of: {choices}.")
    if known[name] == "never" and colon:
        raise _refused(what, f"The {what} {name} takes no file; write just {name}.")
    if (known[name] == "always" and not file) or (colon and not file):
        raise _refused(what, f"Which network? Name its file in the models folder: {name}:FILE.")
    if file and not _FILE.fullmatch(file):
        raise _refused(
            what,
            f"The {what}'s weights must be the plain name of a file in the models folder (SPOTON_MODELS_DIR), "
            f"for example {name}:weights.onnx; folders and paths are not allowed.",
        )


def _refused(what: str, message: str) -> ValidationFailedError:
    return ValidationFailedError(message, details={"fields": {what: [message]}})
