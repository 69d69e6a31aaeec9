"""A kernel that fails: SQLite's system calls, and fsync, answer with an errno of our choice.

The errors take the way of real ones, through SQLite's own unix VFS. (An exception from a VFS in
Python would not do: apsw raises it even where SQLite has decided to go on without a word.)
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

READ, WRITE, TRUNCATE, SIZE, UNLINK, MAP = "read", "write", "truncate", "size", "unlink", "map"
_INT, _SIZE, _POINTER, _OFFSET = ctypes.c_int, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int64
# SQLite's name of the call -> what it is, what it returns, what it takes.
_CALLS: dict[str, tuple[str, Any, tuple[Any, ...]]] = {
    "pread": (READ, ctypes.c_ssize_t, (_INT, _POINTER, _SIZE, _OFFSET)),
    "pread64": (READ, ctypes.c_ssize_t, (_INT, _POINTER, _SIZE, _OFFSET)),
    "pwrite": (WRITE, ctypes.c_ssize_t, (_INT, _POINTER, _SIZE, _OFFSET)),
    "pwrite64": (WRITE, ctypes.c_ssize_t, (_INT, _POINTER, _SIZE, _OFFSET)),
    "ftruncate": (TRUNCATE, _INT, (_INT, _OFFSET)),
    "fstat": (SIZE, _INT, (_INT, _POINTER)),
    "unlink": (UNLINK, _INT, (ctypes.c_char_p,)),
    "mmap": (MAP, ctypes.c_ssize_t, (_POINTER, _SIZE, _INT, _INT, _INT, _OFFSET)),
}
# Where mmap's arguments name the file; of the other calls it is the first.
_FD_OF_MMAP = 4


class Fault:
    """Fails call `number` of one kind (1 is the first) on files of a directory.

    `lasting`: and every later one. `number` None: none until `arm`. `hits`: names of the files.
    """

    def __init__(self, what: str, number: int | None, code: int, *, lasting: bool) -> None:
        self.hits: list[str] = []
        self.calls: Counter[str] = Counter()
        self.first: Callable[[], None] = lambda: None  # runs at the first hit
        self._what = what
        self._number = number
        self._code = code
        self._lasting = lasting

    def arm(self) -> None:
        """Strike from the next call on."""
        self._number = self.calls[self._what] + 1

    def strikes(self, what: str, name: str) -> int:
        """The errno of this call, 0 to let it through."""
        self.calls[what] += 1
        number = self.calls[what]
        if what != self._what or self._number is None or number < self._number:
            return 0
        if number > self._number and not self._lasting:
            return 0
        if not self.hits:
            self.first()
        self.hits.append(name)
        return self._code


@contextmanager
def failing(directory: Path, fault: Fault) -> Iterator[None]:
    """SQLite's calls on files of `directory`, of the whole process, pass by `fault`."""
    vfs = apsw.VFS("tests.disk.kernel", "unix")
    kept = []  # SQLite knows them by address only
    try:
        for name, (what, gives, takes) in _CALLS.items():
            address = vfs.xGetSystemCall(name)
            if address:
                call = ctypes.CFUNCTYPE(gives, *takes, use_errno=True)
                ours = call(_passing(fault, directory.resolve(), what, call(address)))
                kept.append((name, ours))
                vfs.xSetSystemCall(name, ctypes.cast(ours, ctypes.c_void_p).value or 0)
        yield
    finally:
        for name, _ in kept:
            vfs.xSetSystemCall(name, 0)  # back to its own
        vfs.unregister()


def _passing(fault: Fault, directory: Path, what: str, real: Any) -> Callable[..., int]:
    def passing(*args: Any) -> int:
        at = _path(what, args)
        if at is not None and at.parent == directory:
            code = fault.strikes(what, at.name)
            if code:
                ctypes.set_errno(code)
                return -1
        return int(real(*args))

    return passing


def _path(what: str, args: tuple[Any, ...]) -> Path | None:
    if what == UNLINK:
        return Path(os.fsdecode(args[0]))
    fd = args[_FD_OF_MMAP if what == MAP else 0]
    try:
        return Path(os.readlink(f"/proc/self/fd/{fd}"))
    except FileNotFoundError:
        return None


# fsync and fdatasync; SQLite calls them directly, so the kernel itself has to refuse (seccomp(2)).
_SYNCS = {"x86_64": (74, 75), "aarch64": (82, 83)}
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER, _ALL_THREADS = 1, 1
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF: LD W ABS, JMP JEQ K, RET K
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER_AT, _FIRST_ARGUMENT_AT = 0, 16  # struct seccomp_data


def fail_syncs(path: Path) -> None:
    """From now on no sync of this open file succeeds (EIO), in any thread. There is no way back.

    Raises:
        OSError: the kernel has no seccomp for us.
    """
    fds = [fd for fd in map(int, os.listdir("/proc/self/fd")) if _leads_to(fd, path.resolve())]
    machine = platform.machine()
    first, second = _SYNCS[machine]
    code = [
        (_LOAD, 0, 0, _NUMBER_AT),
        (_IF_EQUAL, 2, 0, first),
        (_IF_EQUAL, 1, 0, second),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        *((_IF_EQUAL, len(fds) - number, 0, fd) for number, fd in enumerate(fds)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO | errno.EIO),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *line) for line in code))
    head = struct.pack("@HP", len(code), ctypes.addressof(program))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.syscall(_SECCOMP[machine], _SET_MODE_FILTER, _ALL_THREADS, head) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def _leads_to(fd: int, path: Path) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{fd}") == str(path)
    except FileNotFoundError:  # the listing's own
        return False
