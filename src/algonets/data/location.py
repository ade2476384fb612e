"""Where datasets live: an explicit directory, ``$ALGONETS_DATA``, or the user's cache."""

import logging
import os
from pathlib import Path

from algonets.data.remote import (
    DatasetCorrupt,
    DatasetUnavailable,
    Progress,
    RemoteFile,
    download,
    sha256_of,
)

__all__ = ["cache_dir", "find", "locate"]

_logger = logging.getLogger(__name__)


def cache_dir() -> Path:
    """Return the user's cache, ``$XDG_CACHE_HOME/algonets`` or ``~/.cache/algonets``; it need not exist."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "algonets"


def locate(
    remote: RemoteFile, data_dir: str | os.PathLike[str] | None = None, *, progress: Progress | None = None
) -> Path:
    """Return the path of a dataset's file with the right checksum; download it if it is nowhere.

    It is looked for as ``<folder>/<remote.path>`` in ``data_dir``, else in ``$ALGONETS_DATA``, then in the
    cache (see :func:`cache_dir`). A missing file is downloaded into the first of these that can be written. A
    wrong file in the user's own folder is an error and stays untouched; a wrong file in the cache is fetched
    again.

    Args:
        remote: the file.
        data_dir: an existing directory, or ``None``.
        progress: called as ``progress(done_bytes, total_bytes)`` while downloading.

    Returns:
        The path.

    Raises:
        DatasetCorrupt: if the file is there with another checksum, or only such a file could be fetched.
        DatasetUnavailable: if the directory does not exist, or the file is missing and could not be fetched.
    """
    own = _own_folder(data_dir)
    cache = cache_dir()
    if own is not None and (path := own / remote.path).exists():
        _check_own(path, remote)
        return path
    cached = cache / remote.path
    if cached.is_file() and sha256_of(cached) == remote.sha256:
        return cached
    home = own if own is not None and _writable((own / remote.path).parent) else cache
    _logger.info("downloading %s to %s", remote.path, home)
    try:
        return download(remote, home / remote.path, progress=progress)
    except DatasetUnavailable as error:
        looked = " and ".join(str(folder) for folder in (own, cache) if folder is not None)
        message = f"{remote.path} was not found in {looked}. {error} {_remedy(remote, own or cache)}"
        raise type(error)(message) from error
    except OSError as error:
        message = f"{remote.path} could not be written to {home}: {error}. {_remedy(remote, own or cache)}"
        raise DatasetUnavailable(message) from error


def find(name: str, data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Return the path of a file that cannot be downloaded, looked for as :func:`locate` does.

    Args:
        name: where it lies in a data directory.
        data_dir: an existing directory, or ``None``.

    Returns:
        The path.

    Raises:
        DatasetUnavailable: if the directory does not exist, or the file is in none of the folders.
    """
    folders = [folder for folder in (_own_folder(data_dir), cache_dir()) if folder is not None]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    looked = " and ".join(map(str, folders))
    raise DatasetUnavailable(
        f"{name} was not found in {looked}, and there is no public copy to download. "
        "Name a folder that has it with data_dir (--data-dir on the command line) or $ALGONETS_DATA."
    )


def _own_folder(data_dir: str | os.PathLike[str] | None) -> Path | None:
    """Return the folder the user named, by argument or environment, after a look whether it is one."""
    named, source = data_dir, "data_dir"
    if named is None:
        named, source = os.environ.get("ALGONETS_DATA") or None, "$ALGONETS_DATA"
    if named is None:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise DatasetUnavailable(
            f"{source} must be an existing directory, got {str(named)!r}. "
            "Make it, or leave it out to use the user's cache."
        )
    return folder


def _check_own(path: Path, remote: RemoteFile) -> None:
    size = path.stat().st_size if path.is_file() else -1
    if size < 0:
        raise DatasetCorrupt(f"{path} must be a file of {remote.size} bytes, got something else. Move it away.")
    if size != remote.size or (got := sha256_of(path)) != remote.sha256:
        found = f"{size} bytes" if size != remote.size else f"sha256 {got}"
        wanted = f"{remote.size} bytes" if size != remote.size else f"sha256 {remote.sha256}"
        raise DatasetCorrupt(
            f"{path} is damaged or another file: expected {wanted}, got {found}. "
            f"Delete it and it is downloaded again, or fetch it yourself from {remote.urls[0]}."
        )


def _writable(folder: Path) -> bool:
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)


def _remedy(remote: RemoteFile, folder: Path) -> str:
    return (
        f"Fetch {remote.urls[0]} yourself and save it as {folder / remote.path}, "
        "or name a folder that has it with data_dir (--data-dir on the command line) or $ALGONETS_DATA."
    )
