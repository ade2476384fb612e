"""A data directory of real files, if there is one, and a file server on loopback that can misbehave."""

import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("ALGONETS_DATA") or beside)
    if not folder.is_dir():
        pytest.skip("the real datasets are not here: set $ALGONETS_DATA to a folder that holds them")
    return folder


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for this test, and no data directory in the environment."""
    monkeypatch.delenv("ALGONETS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "xdg" / "algonets"


@dataclass
class FileServer:
    """Serves ``content`` at ``/file``; ``plan`` says how each request goes, the last step stays."""

    content: bytes
    plan: list[str]
    ranges: list[str | None] = field(default_factory=list)
    url: str = ""

    def next_step(self, range_header: str | None) -> str:
        self.ranges.append(range_header)
        return self.plan[min(len(self.ranges), len(self.plan)) - 1]


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"  # type: ignore[assignment]

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        files = self.server.files
        step = files.next_step(self.headers.get("Range"))
        if step.isdigit():
            self.send_error(int(step))
            return
        content = files.content
        if step == "wrong":
            content = bytes(len(content))
        if step == "page":
            content = b"<html>Please log in</html>"
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        start = int(wanted[1]) if wanted and step not in ("no-range", "page") else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if wanted and step not in ("no-range", "page") else 200)
        if wanted and step not in ("no-range", "page"):
            shown = start if step != "shifted" else start - 1
            self.send_header("Content-Range", f"bytes {shown}-{len(content) - 1}/{len(content)}")
        body = content[start:]
        if step == "endless":
            body += bytes(1000)
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if step == "break":
            body = body[: len(body) // 2]
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    files: FileServer


@pytest.fixture
def serve(own_cache: Path) -> Iterator:
    """``serve(content, *plan)`` starts a server; it stops with the test."""
    servers = []

    def start(content: bytes, *plan: str) -> FileServer:
        server = _Server(("127.0.0.1", 0), _Handler)
        server.files = FileServer(content, list(plan) or ["ok"])
        server.files.url = f"http://127.0.0.1:{server.server_port}/file"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        servers.append((server, thread))
        return server.files

    yield start
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
