"""A disk that obeys the test: what was written without a sync is lost with the power, writes and
syncs fail or hang when told to. It stands between SQLite and the real files (a VFS of SQLite's:
https://www.sqlite.org/vfs.html), so the code under test is what runs in earnest.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, byref, c_char_p, c_int, c_int64, c_void_p, cast, pointer
from pathlib import Path

SQLITE_OK = 0
SQLITE_FULL = 13
SQLITE_IOERR_WRITE = 10 | 3 << 8
SQLITE_IOERR_FSYNC = 10 | 4 << 8

_Open = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
_Delete = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)
_Transfer = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_Truncate = CFUNCTYPE(c_int, c_void_p, c_int64)
_Sync = CFUNCTYPE(c_int, c_void_p, c_int)
_FileSize = CFUNCTYPE(c_int, c_void_p, POINTER(c_int64))


class _Vfs(ctypes.Structure):
    """`sqlite3_vfs`."""

    _fields_ = [
        ("version", c_int),
        ("file_size", c_int),
        ("max_path", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("app_data", c_void_p),
        ("open", _Open),
        ("delete", _Delete),
        ("rest", c_void_p * 13),
    ]


class _Methods(ctypes.Structure):
    """`sqlite3_io_methods`."""

    _fields_ = [
        ("version", c_int),
        ("close", c_void_p),
        ("read", _Transfer),
        ("write", _Transfer),
        ("truncate", _Truncate),
        ("sync", _Sync),
        ("size", _FileSize),
        ("rest", c_void_p * 12),
    ]


class _File(ctypes.Structure):
    """`sqlite3_file`."""

    _fields_ = [("methods", POINTER(_Methods))]


class Disk:
    """What the computer has written, and what of it would be there after the power went."""

    def __init__(self) -> None:
        self.written: dict[str, bytearray] = {}
        self.durable: dict[str, bytes] = {}
        self.syncs = 0
        #: Called with a file's name before each write; what it returns is SQLite's result.
        self.on_write: Callable[[str], int] = lambda name: SQLITE_OK
        self.on_sync: Callable[[str], int] = lambda name: SQLITE_OK

    def cut_power(self, directory: Path) -> None:
        """Put what has survived into `directory`."""
        for name, content in self.durable.items():
            (directory / os.path.basename(name)).write_bytes(content)


class _Shim:
    """SQLite's default VFS with a `Disk` in between. One for the process, and never let go: what
    SQLite has of it are plain pointers.
    """

    def __init__(self) -> None:
        self.disk = Disk()
        self._library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
        self._library.sqlite3_vfs_find.restype = POINTER(_Vfs)
        self._real = self._library.sqlite3_vfs_find(None)
        self._names: dict[int, str] = {}
        self._methods: dict[int, _Methods] = {}  # of ours, by the address of the real ones
        self._real_methods: dict[int, _Methods] = {}  # by the address of the file
        self._vfs = _Vfs.from_buffer_copy(self._real.contents)
        self._vfs.name = b"obedient"
        self._vfs.open = _Open(self._open)
        self._vfs.delete = _Delete(self._delete)

    def install(self) -> None:
        self._library.sqlite3_vfs_register(byref(self._vfs), 1)

    def remove(self) -> None:
        self._library.sqlite3_vfs_register(self._real, 1)

    def _open(self, vfs: int, name: int | None, file: int, flags: int, out: int | None) -> int:
        result: int = self._real.contents.open(cast(self._real, c_void_p), name, file, flags, out)
        handle = cast(file, POINTER(_File)).contents
        if result != SQLITE_OK or name is None or not handle.methods:
            return result
        real = handle.methods.contents
        path = os.fsdecode(cast(name, c_char_p).value or b"")
        self._names[file], self._real_methods[file] = path, real
        if path not in self.disk.written:
            self.disk.written[path] = self._content(file, real)
            self.disk.durable.setdefault(path, bytes(self.disk.written[path]))
        handle.methods = pointer(self._wrapped(real))
        return result

    @staticmethod
    def _content(file: int, real: _Methods) -> bytearray:
        size = c_int64()
        real.size(file, byref(size))
        content = (ctypes.c_char * size.value)()
        if size.value:
            real.read(file, content, size.value, 0)
        return bytearray(content.raw)

    def _wrapped(self, real: _Methods) -> _Methods:
        address = ctypes.addressof(real)
        if address not in self._methods:
            ours = _Methods.from_buffer_copy(real)
            ours.write = _Transfer(self._write)
            ours.truncate = _Truncate(self._truncate)
            ours.sync = _Sync(self._sync)
            self._methods[address] = ours
        return self._methods[address]

    def _delete(self, vfs: int, name: bytes, sync_directory: int) -> int:
        self.disk.written.pop(os.fsdecode(name), None)
        self.disk.durable.pop(os.fsdecode(name), None)
        result: int = self._real.contents.delete(cast(self._real, c_void_p), name, sync_directory)
        return result

    def _write(self, file: int, source: int, amount: int, offset: int) -> int:
        name = self._names[file]
        result = self.disk.on_write(name) or self._real_methods[file].write(
            file, source, amount, offset
        )
        if result == SQLITE_OK:
            content = self.disk.written.setdefault(name, bytearray())
            content.extend(bytes(max(0, offset + amount - len(content))))
            content[offset : offset + amount] = ctypes.string_at(source, amount)
        return result

    def _truncate(self, file: int, size: int) -> int:
        result: int = self._real_methods[file].truncate(file, size)
        if result == SQLITE_OK:
            del self.disk.written.setdefault(self._names[file], bytearray())[size:]
        return result

    def _sync(self, file: int, flags: int) -> int:
        name = self._names[file]
        result = self.disk.on_sync(name) or self._real_methods[file].sync(file, flags)
        if result == SQLITE_OK:
            self.disk.syncs += 1
            self.disk.durable[name] = bytes(self.disk.written.get(name, b""))
        return result


_shim = _Shim()


@contextmanager
def obedient_disk() -> Iterator[Disk]:
    """All files that SQLite opens inside are on such a disk."""
    _shim.disk = Disk()
    _shim.install()
    try:
        yield _shim.disk
    finally:
        _shim.remove()
