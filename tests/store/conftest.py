"""Servers for the tests of the weight store, and caches in folders of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .servers import FileServer, HubServer

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
    "SSL_CERT_FILE",
    "TRANSFORMERS_OFFLINE",
)
"""Variables that change where the clients look; some are read in lower case too."""


@pytest.fixture(autouse=True)
def _no_network(only_loopback: Any) -> None:
    """No test here reaches another machine."""


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


@dataclass(frozen=True)
class HubHome:
    """The folders of a fresh user, and how a test uses the Hub's library with them."""

    hf_home: Path
    hf_cache: Path
    s2clip_cache: Path
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
        """
        from huggingface_hub import constants, file_download, hf_api

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
        # Functions such as `huggingface_hub.model_info` are methods of this object.
        patch(hf_api.api, "endpoint", endpoint)
        self._monkeypatch.setenv("HF_ENDPOINT", endpoint)
        self._monkeypatch.setenv("HF_HUB_OFFLINE", str(int(offline)))


@pytest.fixture
def hub_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubHome]:
    """Empty caches, and none of the user's settings for the Hub and for proxies."""
    home = tmp_path / "home"
    folders = HubHome(home / "hf", home / "hf" / "hub", home / "s2clip", monkeypatch)
    for name in UNSET:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
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
