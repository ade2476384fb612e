import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import algonets
from algonets.data import DatasetCorrupt, DatasetUnavailable, RemoteFile, download
from algonets.data import remote as remote_module
from algonets.data.remote import sha256_of

CONTENT = bytes(range(256)) * 1200  # several read blocks


SHA256 = hashlib.sha256(CONTENT).hexdigest()


def file_at(*urls: str) -> RemoteFile:
    return RemoteFile("set/file.bin", urls, SHA256, len(CONTENT))


def fetch(file: RemoteFile, target: Path, **options) -> Path:
    return download(file, target, **{"pause": 0.0, "timeout": 5.0, **options})


def closed_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/file"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_downloads_and_reports_progress(serve, tmp_path):
    seen = []
    target = tmp_path / "set" / "file.bin"
    server = serve(CONTENT)
    assert fetch(file_at(server.url), target, progress=lambda done, size: seen.append((done, size))) == target
    assert target.read_bytes() == CONTENT
    assert names(target.parent) == ["file.bin"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert len(seen) > 2


def test_a_broken_transfer_is_resumed(serve, tmp_path):
    server = serve(CONTENT, "break", "break", "ok")
    fetch(file_at(server.url), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    half, quarter = len(CONTENT) // 2, len(CONTENT) // 4
    assert server.ranges == [None, f"bytes={half}-", f"bytes={half + quarter}-"]


def test_a_server_that_ignores_range_starts_over(serve, tmp_path):
    server = serve(CONTENT, "break", "no-range")
    fetch(file_at(server.url), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.ranges[1] is not None


def test_a_shifted_range_is_not_believed(serve, tmp_path):
    server = serve(CONTENT, "break", "shifted", "ok")
    fetch(file_at(server.url), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={len(CONTENT) // 2}-", None]


def test_a_login_page_does_not_cost_the_part(serve, tmp_path):
    server = serve(CONTENT, "break", "page")
    with pytest.raises(DatasetUnavailable, match="serves 26 bytes"):
        fetch(file_at(server.url), tmp_path / "f")
    assert (tmp_path / "f.part").read_bytes() == CONTENT[: len(CONTENT) // 2]


def test_a_remote_file_has_an_address():
    with pytest.raises(ValueError, match="at least one address"):
        RemoteFile("set/file.bin", (), "0" * 64, 1)


def test_416_starts_over(serve, tmp_path):
    (tmp_path / "f.part").write_bytes(CONTENT[:1000])
    server = serve(CONTENT, "416", "ok")
    fetch(file_at(server.url), tmp_path / "f", retries=0)
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-", None]


@pytest.mark.parametrize("extra", [b"", b"more"])
def test_a_part_as_long_as_the_file_but_wrong_is_fetched_anew(serve, tmp_path, extra):
    (tmp_path / "f.part").write_bytes(bytes(len(CONTENT)) + extra)
    server = serve(CONTENT)
    fetch(file_at(server.url), tmp_path / "f", retries=0)
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.ranges == [None]


def test_a_whole_part_needs_no_request(serve, tmp_path):
    (tmp_path / "f.part").write_bytes(CONTENT)
    server = serve(CONTENT)
    fetch(file_at(server.url), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.ranges == []


def test_a_spoilt_part_is_dropped_after_one_try(serve, tmp_path):
    (tmp_path / "f.part").write_bytes(b"something else")
    server = serve(CONTENT)
    fetch(file_at(server.url), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.ranges == ["bytes=14-", None]


def test_wrong_bytes_are_removed_and_named(serve, tmp_path):
    server = serve(CONTENT, "wrong")
    got = hashlib.sha256(bytes(len(CONTENT))).hexdigest()
    with pytest.raises(DatasetCorrupt, match=f"expected sha256 {SHA256}, got {got}"):
        fetch(file_at(server.url), tmp_path / "f")
    assert names(tmp_path) == []
    assert len(server.ranges) == 1


@pytest.mark.parametrize("step", ["page", "endless"])
def test_another_length_is_noticed(serve, tmp_path, step):
    server = serve(CONTENT, step)
    with pytest.raises(DatasetUnavailable, match="serves"):
        fetch(file_at(server.url), tmp_path / "f")
    assert names(tmp_path) == []


def test_404_is_final_and_the_mirror_serves(serve, tmp_path):
    bad, good = serve(CONTENT, "404"), serve(CONTENT, "500", "ok")
    fetch(file_at(bad.url, good.url), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert (len(bad.ranges), len(good.ranges)) == (1, 2)


@pytest.mark.parametrize(("status", "requests"), [("404", 1), ("500", 3), ("503", 3), ("429", 3)])
def test_errors_are_retried_within_a_bound(serve, tmp_path, status, requests):
    server = serve(CONTENT, status)
    with pytest.raises(DatasetUnavailable, match=f"HTTP {status}") as caught:
        fetch(file_at(server.url), tmp_path / "f", retries=2)
    assert not isinstance(caught.value, DatasetCorrupt)
    assert server.url in str(caught.value)
    assert len(server.ranges) == requests
    assert names(tmp_path) == []


def test_offline(own_cache, tmp_path):
    url = closed_url()
    with pytest.raises(DatasetUnavailable, match="refused") as caught:
        fetch(file_at(url), tmp_path / "f", retries=1)
    assert url in str(caught.value)
    assert isinstance(caught.value, OSError)


def test_a_silent_server_times_out(own_cache, tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file"
        with pytest.raises(DatasetUnavailable, match="timed out"):
            fetch(file_at(url), tmp_path / "f", retries=0, timeout=0.2)


def test_a_failure_keeps_the_part(serve, tmp_path):
    server = serve(CONTENT, "break", "500")
    with pytest.raises(DatasetUnavailable):
        fetch(file_at(server.url), tmp_path / "f", retries=1)
    assert names(tmp_path) == ["f.part"]
    server.plan = ["ok"]
    fetch(file_at(server.url), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.ranges[-1] == f"bytes={len(CONTENT) // 2}-"


def test_many_at_once_fetch_once(serve, tmp_path):
    server = serve(CONTENT)
    errors = []

    def work() -> None:
        try:
            fetch(file_at(server.url), tmp_path / "f")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert errors == []
    assert names(tmp_path) == ["f"]
    assert sha256_of(tmp_path / "f") == SHA256
    assert len(server.ranges) == 1


CHILD = """
import sys, time
from algonets.data import RemoteFile, download
from pathlib import Path
url, sha256, size, target = sys.argv[1:]
def wait(done, total):
    if done > 100_000:
        Path(target + ".reached").touch()
        time.sleep(60)
download(RemoteFile("set/file.bin", (url,), sha256, int(size)), Path(target), progress=wait)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="resuming another process's part needs flock")
def test_a_killed_process_leaves_a_part_that_the_next_one_finishes(serve, tmp_path):
    server, target = serve(CONTENT), tmp_path / "out" / "f"
    target.parent.mkdir()
    file = file_at(server.url)
    environment = {**os.environ, "PYTHONPATH": str(Path(algonets.__file__).parents[1])}
    command = [sys.executable, "-c", CHILD, server.url, file.sha256, str(file.size), str(target)]
    child = subprocess.Popen(command, env=environment)
    try:
        reached = target.with_name("f.reached")
        until = time.monotonic() + 60
        while not reached.exists() and child.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        assert reached.exists()
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    reached.unlink()
    assert names(target.parent) == ["f.part"]
    fetch(file, target)
    assert target.read_bytes() == CONTENT
    assert names(target.parent) == ["f"]
    assert server.ranges[-1] is not None


def test_without_flock_the_part_has_its_own_name(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(remote_module, "fcntl", None)
    server = serve(CONTENT, "break", "ok")
    fetch(file_at(server.url), tmp_path / "f")
    assert names(tmp_path) == ["f"]
    server.plan = ["404"]
    with pytest.raises(DatasetUnavailable):
        fetch(file_at(server.url), tmp_path / "g")
    assert names(tmp_path) == ["f"]
