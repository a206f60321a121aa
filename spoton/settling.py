"""For processes that must answer within milliseconds: no long pauses of Python's garbage collector."""

import gc


def settle() -> None:
    """Take everything loaded so far for permanent; call when a process is ready for its first work.

    A full collection walks through all of it, about half a million objects of Django, Celery and NumPy, which takes a
    tenth of a second every few seconds and never finds anything.
    """
    gc.collect()
    gc.freeze()
