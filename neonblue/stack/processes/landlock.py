"""Landlock: what a process may open and whom it may connect to, given up for good by the process itself.

Constants and structures are those of linux/landlock.h. A kernel that knows less is asked for less; one without
Landlock for nothing. The standard library alone, as `launch` needs it: that runs before each service's program.
"""

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from typing import TypedDict

# The same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH, _NET_PORT = 1, 2
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE = 1 << 4, 1 << 5
# Of the bits 6 to 12 those that make devices are granted to nobody.
_MAKE_DIR, _MAKE_REG, _MAKE_SOCK, _MAKE_FIFO, _MAKE_SYM = 1 << 7, 1 << 8, 1 << 9, 1 << 10, 1 << 12
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1 << 0, 1 << 1

_FILE_ACCESS = {1: (1 << 13) - 1, 2: _REFER, 3: _TRUNCATE, 5: _IOCTL_DEV}
"""What each version of the interface knows beyond the version before."""
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
"""What a rule may grant for a path that is no folder."""

_LIST = _READ_DIR
_READ = _READ_FILE | _READ_DIR | _EXECUTE
_MAKE = _MAKE_DIR | _MAKE_REG | _MAKE_SOCK | _MAKE_FIFO | _MAKE_SYM
# Nothing that is written is executed.
_WRITE = _READ_FILE | _READ_DIR | _WRITE_FILE | _TRUNCATE | _REFER | _REMOVE_DIR | _REMOVE_FILE | _MAKE

FIRST_USABLE = 2
"""Version 1 (Linux 5.13 to 5.18) lets no file be renamed or linked into another folder, which databases do."""
_NETWORK, _SCOPES = 4, 6


class Rules(TypedDict):
    """Paths, each with all that is beneath, and TCP ports; None: any port."""

    lists: list[str]
    reads: list[str]
    writes: list[str]
    binds: list[int] | None
    connects: list[int] | None


def version() -> int:
    """The interface's version that the kernel has (ABI); 0 where there is none."""
    return max(0, _call(_CREATE_RULESET, None, 0, _ASK_VERSION))


def limits_connections(known: int) -> bool:
    """Whether that version knows TCP ports."""
    return known >= _NETWORK


def ruleset(rules: Rules, known: int) -> int:
    """The descriptor of a ruleset for a kernel of version `known`. Raises OSError.

    Paths that are missing, or closed to this user, are left out.
    """
    handled = 0
    for since, access in _FILE_ACCESS.items():
        handled |= access if since <= known else 0
    networked = limits_connections(known)
    ports = {_BIND_TCP: rules["binds"], _CONNECT_TCP: rules["connects"]} if networked else {}
    limited = {access: numbers for access, numbers in ports.items() if numbers is not None}
    scopes = _SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS if known >= _SCOPES else 0
    attributes = struct.pack("=QQQ", handled, sum(limited), scopes)
    length = 24 if known >= _SCOPES else 16 if networked else 8
    descriptor = _checked(_CREATE_RULESET, attributes, length, 0)
    _allow_paths(descriptor, rules["lists"], _LIST & handled)
    _allow_paths(descriptor, rules["reads"], _READ & handled)
    _allow_paths(descriptor, rules["writes"], _WRITE & handled)
    for access, numbers in limited.items():
        for number in set(numbers):
            _checked(_ADD_RULE, descriptor, _NET_PORT, struct.pack("=QQ", access, number), 0)
    return descriptor


def _allow_paths(descriptor: int, paths: Iterable[str], access: int) -> None:
    for path in paths:
        try:
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        try:
            folder = stat.S_ISDIR(os.fstat(opened).st_mode)
            granted = access if folder else access & _OF_FILES
            if granted:
                _checked(_ADD_RULE, descriptor, _PATH_BENEATH, struct.pack("=Qi", granted, opened), 0)
        finally:
            os.close(opened)


def enforce(descriptor: int) -> None:
    """Hold this thread and all that it starts to the ruleset, with no way back. Raises OSError."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _checked(_RESTRICT_SELF, descriptor, 0)
    os.close(descriptor)


def prctl(*arguments: int) -> None:
    """What prctl(2) does. Raises OSError."""
    given = [ctypes.c_ulong(one) for one in (*arguments, 0, 0, 0, 0)[:5]]
    if ctypes.CDLL(None, use_errno=True).prctl(*given) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {arguments}")


def _call(number: int, *arguments: bytes | int | None) -> int:
    given = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return int(ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *given))


def _checked(number: int, *arguments: bytes | int | None) -> int:
    result = _call(number, *arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"Landlock: {os.strerror(error)}")
    return result
