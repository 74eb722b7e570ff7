"""Weights as caches, folders and a hub keep them, written by tests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MEAN, STD = [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]
TIMM = {"architecture": "resnet18", "num_classes": 5, "pretrained_cfg": {"mean": MEAN, "std": STD}}
TEXT = {
    "config.json": b'{"model_type": "bert"}',
    "tokenizer.json": b"{}",
    "model.safetensors": b"weights",
}


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    """These files in a folder; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def write_hub_cache(cache: Path, repo: str, files: Mapping[str, bytes]) -> Path:
    """A repository as huggingface_hub's cache keeps it; returns its snapshot's folder."""
    root = cache / f"models--{repo.replace('/', '--')}"
    snapshot = root / "snapshots" / COMMIT
    for folder in (root / "blobs", root / "refs", snapshot):
        folder.mkdir(parents=True, exist_ok=True)
    (root / "refs" / "main").write_text(COMMIT)
    for name, content in files.items():
        blob = root / "blobs" / hashlib.sha256(content).hexdigest()
        blob.write_bytes(content)
        (snapshot / name).symlink_to(blob)
    return snapshot


def timm_files(weights: bytes, *, name: str = "model.safetensors") -> dict[str, bytes]:
    """What timm's save_for_hf writes."""
    return {"config.json": json.dumps(TIMM).encode(), name: weights}


class Site(ThreadingHTTPServer):
    """A hub of a few repositories, and of plain files."""

    def __init__(
        self,
        repositories: Mapping[str, Mapping[str, bytes]],
        files: Mapping[str, bytes],
        status: int = 200,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = {f"/{name}": content for name, content in files.items()}
        for repo, content in repositories.items():
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": _oid(data)}
                for name, data in content.items()
            ]
            about = {"id": repo, "sha": COMMIT, "siblings": []}
            for revision in ("main", COMMIT):
                self.files[f"/api/models/{repo}/tree/{revision}"] = json.dumps(tree).encode()
                self.files[f"/api/models/{repo}/revision/{revision}"] = json.dumps(about).encode()
                for name, data in content.items():
                    self.files[f"/{repo}/resolve/{revision}/{name}"] = data
            self.files[f"/api/models/{repo}"] = json.dumps(about).encode()
        self.status = status
        self.forbidden: str | None = None
        """What is answered with 403, wherever it occurs in a path."""
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serving(
    repositories: Mapping[str, Mapping[str, bytes]] | None = None,
    files: Mapping[str, bytes] | None = None,
    *,
    status: int = 200,
) -> Iterator[Site]:
    """A site that answers while the block runs; with a status above 400, that to everything."""
    site = Site(repositories or {}, files or {}, status)
    thread = Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        site.shutdown()
        thread.join()
        site.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_HEAD(self) -> None:
        self._send(body=False)

    def do_GET(self) -> None:
        self._send(body=True)

    def _send(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(f"{self.command} {path}")
        content = b"" if path == "/" else self.server.files.get(path)
        status = self.server.status if content is not None else 404
        if self.server.forbidden and self.server.forbidden in path:
            status = 403
        self.send_response(status)
        if status == 404:
            self.send_header("X-Error-Code", "RepoNotFound")
        content = content or b""
        self.send_header("ETag", f'"{_oid(content)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test tells what was asked."""


def _oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
