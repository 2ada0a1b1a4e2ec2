"""Servers for the tests of the weight store, and caches in folders of their own."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from .servers import FileServer, HubServer, ProxyServer

UNSET = (
    "ALL_PROXY",
    "HF_ENDPOINT",
    "HF_HUB_OFFLINE",
    "HF_TOKEN",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "HUGGING_FACE_HUB_TOKEN",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TRANSFORMERS_OFFLINE",
)
"""Variables that change where the clients look; some are read in lower case too."""


@pytest.fixture(autouse=True)
def _no_network(only_loopback: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here reaches another machine or follows the user's own settings."""
    for name in UNSET:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """An empty Hub."""
    with HubServer() as server:
        yield server


@pytest.fixture
def files() -> Iterator[FileServer]:
    """A server without files."""
    with FileServer() as server:
        yield server


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that nobody knows."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    """The authority's own certificate, for a client that is to trust it."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def tls_files(authority: trustme.CA) -> Iterator[FileServer]:
    """A server of files that speaks TLS as 127.0.0.1 and as ``weights.example``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "weights.example").configure_cert(context)
    with FileServer(tls=context) as server:
        yield server


@pytest.fixture
def proxy() -> Iterator[ProxyServer]:
    """A proxy without a password."""
    with ProxyServer() as server:
        yield server


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address that refuses connections, as nobody listens there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


class _Clock:
    """The module `time`, but nobody waits."""

    def __init__(self, waits: list[float]) -> None:
        self.sleep = waits.append

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


@dataclass(frozen=True)
class HubHome:
    """The folders of a fresh user, and how a test uses the Hub's library with them."""

    hf_home: Path
    hf_cache: Path
    s2clip_cache: Path
    waits: list[float]
    """Seconds that the Hub's library in this process would have waited."""
    _monkeypatch: pytest.MonkeyPatch

    def run(
        self, code: str, endpoint: str | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run Python code in a child process that sees these folders."""
        env = {**os.environ, **variables}
        if endpoint is not None:
            env["HF_ENDPOINT"] = endpoint
        return subprocess.run(
            [sys.executable, "-c", code],
            env=env,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )

    def use(self, endpoint: str, *, offline: bool = False) -> None:
        """Let the Hub's library in this process use a server and these folders.

        It reads its variables once, when it is imported, so they are set there too.
        Between two tries it goes on at once, and `waits` tells how long it would wait.
        """
        from huggingface_hub import constants, file_download, hf_api
        from huggingface_hub.utils import _http

        close_hub_connections()  # made for the settings before
        patch = self._monkeypatch.setattr

        template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        for name, value in {
            "ENDPOINT": endpoint,
            "HUGGINGFACE_CO_URL_TEMPLATE": template,
            "HF_HOME": str(self.hf_home),
            "HF_HUB_CACHE": str(self.hf_cache),
            "HF_TOKEN_PATH": str(self.hf_home / "token"),
            "HF_HUB_OFFLINE": offline,
            "HF_HUB_DISABLE_TELEMETRY": True,
        }.items():
            patch(constants, name, value)
        # Only later versions know Xet; earlier ones keep a copy of the template.
        patch(constants, "HF_HUB_DISABLE_XET", True, raising=False)
        patch(file_download, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
        for module in (_http, file_download):
            patch(module, "time", _Clock(self.waits))
        # Functions such as `huggingface_hub.model_info` are methods of this object.
        patch(hf_api.api, "endpoint", endpoint)
        self._monkeypatch.setenv("HF_ENDPOINT", endpoint)
        self._monkeypatch.setenv("HF_HUB_OFFLINE", str(int(offline)))


@pytest.fixture
def hub_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubHome]:
    """Empty caches of the Hub's library and of this package."""
    home = tmp_path / "home"
    folders = HubHome(
        home / "hf", home / "hf" / "hub", home / "s2clip", [], monkeypatch
    )
    monkeypatch.setenv("HF_HOME", str(folders.hf_home))
    monkeypatch.setenv("HF_HUB_CACHE", str(folders.hf_cache))
    monkeypatch.setenv("NAPARI_S2CLIP_CACHE", str(folders.s2clip_cache))
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    yield folders
    close_hub_connections()


def close_hub_connections() -> None:
    """Close what the Hub's library keeps open between requests."""
    from huggingface_hub.utils import _http

    # The name changed with the library below it, from requests to httpx.
    names = ("close_session", "reset_sessions")
    next(getattr(_http, name) for name in names if hasattr(_http, name))()
