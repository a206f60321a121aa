"""Becomes the program named on its command line, after tying it to its parent's life.

Run by path as a script, never imported by the product (see `spawn.py`). A small program of its own instead of
`preexec_fn`, because code between fork and exec may deadlock in a parent that has threads.

    python -I -S launch.py PARENT_PID SIGNAL UID KEEP_SEARCH PROGRAM [ARGUMENT...]

SIGNAL is what the kernel sends when the parent dies, however it dies. UID "-" keeps the user; a number drops
root for that user, and KEEP_SEARCH "1" keeps the one capability to pass through folders closed to that user.
"""

import ctypes
import os
import sys

# from linux/prctl.h and linux/capability.h
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522


class _CapHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _CapData(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def _search_capability() -> int:
    """The weaker capability if we hold it (Docker grants root only the stronger one)."""
    header, data = _CapHeader(CAPABILITY_VERSION_3, 0), (_CapData * 2)()
    _check(_libc.capget(ctypes.byref(header), data), "capget")
    return CAP_DAC_READ_SEARCH if data[0].permitted & 1 << CAP_DAC_READ_SEARCH else CAP_DAC_OVERRIDE


def drop_root(uid: int, keep_search: bool) -> None:
    capability = _search_capability() if keep_search else None
    if capability is not None:
        _check(_libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "keep capabilities")
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    if capability is not None:
        header, data = _CapHeader(CAPABILITY_VERSION_3, 0), (_CapData * 2)()
        data[0] = _CapData(1 << capability, 1 << capability, 1 << capability)
        _check(_libc.capset(ctypes.byref(header), data), "keep the search capability")
        _check(
            _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0),
            "pass on the search capability",
        )


def main(arguments: list[str]) -> None:
    parent, death_signal, uid, keep_search, *program = arguments
    if uid != "-":
        drop_root(int(uid), keep_search == "1")
    # after the change of user, which would clear it
    _check(_libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0), "parent death signal")
    if os.getppid() != int(parent):
        sys.exit(1)  # the parent died before the kernel knew to tell us
    try:
        os.execvp(program[0], program)
    except OSError as error:
        sys.exit(f"cannot start {program[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
