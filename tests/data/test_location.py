import hashlib
import sys
from pathlib import Path

import pytest

from algonets.data import DatasetCorrupt, DatasetUnavailable, RemoteFile, cache_dir, locate

CONTENT = b"letters" * 100
module = sys.modules[locate.__module__]


def remote(url: str = "http://127.0.0.1:1/file") -> RemoteFile:
    return RemoteFile("set/file.bin", (url,), hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


def put(folder: Path, content: bytes = CONTENT) -> Path:
    path = folder / "set" / "file.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def quick(monkeypatch):
    """No pauses between rounds."""
    original = module.download
    monkeypatch.setattr(module, "download", lambda *args, **kwargs: original(*args, **kwargs, pause=0.0))


def test_cache_dir(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "algonets"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "algonets"


def test_order_is_argument_environment_cache(own_cache, tmp_path, monkeypatch):
    paths = [put(folder) for folder in (own_cache, tmp_path / "env", tmp_path / "argument")]
    assert locate(remote()) == paths[0]
    monkeypatch.setenv("ALGONETS_DATA", str(tmp_path / "env"))
    assert locate(remote()) == paths[1]
    assert locate(remote(), tmp_path / "argument") == paths[2]


def test_downloads_into_the_named_folder_or_the_cache(serve, tmp_path, monkeypatch, own_cache):
    server, folder = serve(CONTENT), tmp_path / "mine"
    folder.mkdir()
    assert locate(remote(server.url), folder) == folder / "set" / "file.bin"
    assert locate(remote(server.url)) == own_cache / "set" / "file.bin"
    assert len(server.ranges) == 2


def test_a_read_only_folder_falls_back_to_the_cache(serve, tmp_path, monkeypatch, own_cache):
    server = serve(CONTENT)
    monkeypatch.setattr(module.os, "access", lambda path, mode: False)  # root may write anywhere
    for _ in range(2):  # downloaded once, found the second time
        assert locate(remote(server.url), tmp_path) == own_cache / "set" / "file.bin"
    assert len(server.ranges) == 1


def test_a_wrong_file_in_the_cache_is_replaced(serve, own_cache):
    path = put(own_cache, b"broken")
    assert locate(remote(serve(CONTENT).url)) == path
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("content", [CONTENT[:-1], b"x" * len(CONTENT), b""])
def test_a_wrong_file_of_the_user_stays_and_is_reported(own_cache, tmp_path, content):
    path = put(tmp_path, content)
    with pytest.raises(DatasetCorrupt, match=r"expected .*, got .*Delete it"):
        locate(remote(), tmp_path)
    assert path.read_bytes() == content


def test_a_folder_in_place_of_the_file(own_cache, tmp_path):
    (tmp_path / "set" / "file.bin").mkdir(parents=True)
    with pytest.raises(DatasetCorrupt, match="must be a file"):
        locate(remote(), tmp_path)


def test_empty_folder_offline_says_what_where_and_the_remedy(own_cache, tmp_path, quick):
    with pytest.raises(DatasetUnavailable) as caught:
        locate(remote(), tmp_path)
    told = str(caught.value)
    wanted = ("set/file.bin", str(tmp_path), str(own_cache), remote().urls[0], "--data-dir", "$ALGONETS_DATA")
    assert [part for part in wanted if part not in told] == []
    assert f"save it as {tmp_path / 'set' / 'file.bin'}" in told


def test_missing_folder(own_cache, tmp_path, monkeypatch):
    with pytest.raises(DatasetUnavailable, match=r"data_dir must be an existing directory, got .*nowhere"):
        locate(remote(), tmp_path / "nowhere")
    monkeypatch.setenv("ALGONETS_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DatasetUnavailable, match=r"\$ALGONETS_DATA must be an existing directory"):
        locate(remote())


def test_a_cache_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.delenv("ALGONETS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(DatasetUnavailable, match="could not be written"):
        locate(remote())
