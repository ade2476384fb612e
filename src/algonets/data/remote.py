"""Fetch one file: checked, resumable, and safe when two processes want it at once."""

import contextlib
import hashlib
import http.client
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from algonets._core.errors import require

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["DatasetCorrupt", "DatasetUnavailable", "Progress", "RemoteFile", "download", "sha256_of"]

Progress = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes in all, after every block."""

_BLOCK = 1 << 16
_NETWORK_ERRORS = (
    urllib.error.URLError,
    http.client.HTTPException,
    TimeoutError,
    ConnectionError,
    ssl.SSLError,
)
_WORTH_A_RETRY = (408, 425, 429)


class DatasetUnavailable(OSError):
    """A dataset's file is not here and could not be fetched; the message says what to do."""


class DatasetCorrupt(DatasetUnavailable):
    """A file is there or was fetched, and its bytes are not those of the dataset."""


@dataclass(frozen=True)
class RemoteFile:
    """One file of a dataset.

    Args:
        path: where it lies in a data directory, such as ``"mnist/train-images-idx3-ubyte.gz"``.
        urls: the addresses it is published at, at least one, in the order they are tried.
        sha256: checksum in hexadecimal.
        size: bytes.
    """

    path: str
    urls: tuple[str, ...]
    sha256: str
    size: int

    def __post_init__(self) -> None:
        require(len(self.urls) > 0, "RemoteFile(urls=...)", "must hold at least one address", self.urls)


class _WrongContent(Exception):
    """The server's file is not the one that was asked for."""


def sha256_of(path: Path) -> str:
    """Return the checksum of a file in hexadecimal."""
    with path.open("rb") as file:
        return _digest(file)


def download(
    remote: RemoteFile,
    target: Path,
    *,
    progress: Progress | None = None,
    retries: int = 2,
    timeout: float = 10.0,
    pause: float = 0.5,
) -> Path:
    """Download ``remote`` to ``target``, which appears only when it is complete and its checksum is right.

    The bytes go to ``<target>.part``, under a lock; what an interrupted download left there is resumed with
    an HTTP Range request. A second process waits for the first and then finds the file done. A part file
    whose checksum turns out wrong is removed.

    Args:
        remote: what to fetch.
        target: where to put it; parent directories are made.
        progress: called as ``progress(done_bytes, total_bytes)``.
        retries: rounds over all addresses after the first one.
        timeout: seconds without an answer or a byte before an address counts as failed.
        pause: seconds before the second round, doubled before each later one.

    Returns:
        ``target``.

    Raises:
        DatasetCorrupt: if the addresses served a file with another checksum.
        DatasetUnavailable: if no address could be read.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked_part(target) as (part, file):
        if target.exists() and sha256_of(target) == remote.sha256:  # another process was faster
            return target
        _fill(remote, file, progress, retries, timeout, pause)
        os.fsync(file.fileno())
        if fcntl is None:  # Windows does not rename an open file
            file.close()
        os.replace(part, target)
    _sync_directory(target.parent)
    return target


def _fill(
    remote: RemoteFile, file: BinaryIO, progress: Progress | None, retries: int, timeout: float, pause: float
) -> None:
    """Go through the addresses until the part file is whole; raise what they all said if none helped."""
    alive = list(remote.urls)
    failures: dict[str, str] = {}
    corrupt = False
    if _length(file) == remote.size and _digest(file) == remote.sha256:  # killed just before the rename
        return
    for attempt in range(retries + 1):
        if attempt:
            time.sleep(pause * 2 ** (attempt - 1))
        for url in list(alive):
            resumed = _length(file) > 0
            try:
                _append(url, remote, file, progress, timeout)
                if (got := _digest(file)) == remote.sha256:
                    return
                file.truncate(0)
                failures[url] = f"wrong checksum: expected sha256 {remote.sha256}, got {got}"
                corrupt = True
                if not resumed:  # else the part that was there before may be to blame
                    alive.remove(url)
            except _WrongContent as error:
                failures[url] = str(error)
                alive.remove(url)
            except urllib.error.HTTPError as error:
                failures[url] = f"HTTP {error.code} {error.reason}"
                if 400 <= error.code < 500 and error.code not in _WORTH_A_RETRY:
                    alive.remove(url)
            except _NETWORK_ERRORS as error:
                reason = getattr(error, "reason", None) or error
                failures[url] = f"{type(error).__name__}: {reason}"
        if not alive:
            break
    told = "; ".join(f"{url}: {reason}" for url, reason in failures.items())
    kind = DatasetCorrupt if corrupt else DatasetUnavailable
    raise kind(f"Could not download {remote.path}. {told}.")


def _append(url: str, remote: RemoteFile, file: BinaryIO, progress: Progress | None, timeout: float) -> None:
    """Read ``url`` to the end of ``file``, from where the file ends if the server can."""
    response = _resume(url, file, remote.size, timeout) or _open(url, 0, timeout)
    with response:
        if response.status != 206:
            announced = response.headers.get("Content-Length")
            if announced is not None and announced != str(remote.size):
                raise _WrongContent(f"serves {announced} bytes, the file has {remote.size}")
            file.truncate(0)
        done = _length(file)
        while block := response.read(_BLOCK):
            done += len(block)
            if done > remote.size:
                file.truncate(0)
                raise _WrongContent(f"serves more than the {remote.size} bytes of the file")
            file.write(block)
            file.flush()
            if progress is not None:
                progress(done, remote.size)
    if done < remote.size:
        raise ConnectionError(f"broke off after {done} of {remote.size} bytes")


def _resume(url: str, file: BinaryIO, size: int, timeout: float) -> http.client.HTTPResponse | None:
    """Ask for the bytes behind the end of ``file``; ``None`` if only a request without a range can help."""
    start = _length(file)
    if not 0 < start < size:  # nothing to resume, or a part that can only be wrong
        return None
    try:
        response = _open(url, start, timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 416:
            raise
        return None
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if response.status == 206 and (found is None or int(found[1]) != start or found[2] not in ("*", str(size))):
        response.close()
        return None
    return response  # from `start`, or the whole file with status 200 from a server that ignores ranges


def _open(url: str, start: int, timeout: float) -> http.client.HTTPResponse:
    headers = {"User-Agent": "algonets", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)


def _digest(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _length(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


@contextlib.contextmanager
def _locked_part(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Open ``<target>.part`` for appending, ours alone until the block ends.

    The lock sits on the part file itself, so a killed process leaves the part and nothing else, and its lock
    dies with it. Without ``flock`` the part gets a name of its own and nobody resumes it.
    """
    if fcntl is None:
        part = target.with_name(f"{target.name}.{os.getpid()}.{time.monotonic_ns()}.part")
        try:
            with part.open("a+b") as file:
                yield part, file
        finally:
            part.unlink(missing_ok=True)
        return
    part = target.with_name(target.name + ".part")
    while True:
        with part.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_at(part, file):  # else the one before us renamed or removed it while we waited
                try:
                    yield part, file
                finally:
                    if _length(file) == 0:
                        part.unlink()
                return


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:  # asked for in one step: others create and remove it all the time
        return False


def _sync_directory(folder: Path) -> None:
    """Make the rename survive a power cut, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
