"""The real clients get from the servers what they get from the real ones."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import huggingface_hub
import requests
from huggingface_hub import constants

if TYPE_CHECKING:
    import pytest

    from .conftest import HubHome
    from .servers import HubServer

WEIGHTS = bytes(range(256)) * 40
ADDRESS = "/test/tiny/resolve/main/model.safetensors"


def test_the_hub_serves_a_large_file_by_a_redirect(
    hub: HubServer, hub_home: HubHome
) -> None:
    commit = hub.add("test/tiny", "model.safetensors", WEIGHTS)
    hub_home.use(hub.endpoint)
    path = huggingface_hub.hf_hub_download("test/tiny", "model.safetensors")
    assert Path(path).read_bytes() == WEIGHTS
    assert Path(path).is_relative_to(hub_home.hf_cache)
    assert commit in path
    blob = (
        f"/blobs/{hub.repos['test/tiny'].files('main')[1]['model.safetensors'].sha256}"
    )
    assert hub.log[0] == (
        "HEAD",
        "/test/tiny/resolve/main/model.safetensors",
        None,
        302,
    )
    assert hub.log[-1] == ("GET", blob, None, 200)


def test_the_hub_serves_a_small_file_itself(hub: HubServer, hub_home: HubHome) -> None:
    hub.add("test/tiny", "config.json", b"{}")
    hub_home.use(hub.endpoint)
    path = huggingface_hub.hf_hub_download("test/tiny", "config.json")
    assert Path(path).read_bytes() == b"{}"
    address = "/test/tiny/resolve/main/config.json"
    assert hub.log == [("HEAD", address, None, 200), ("GET", address, None, 200)]


def test_the_hub_library_resumes_after_a_cut(
    hub: HubServer, hub_home: HubHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It keeps whole chunks only, of 10 MiB unless told otherwise.
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 500)
    hub.add("test/tiny", "model.safetensors", WEIGHTS)
    hub.faults.cut_after(1000)
    hub_home.use(hub.endpoint)
    # Later versions try again themselves; earlier ones resume when asked again.
    with contextlib.suppress(requests.exceptions.ChunkedEncodingError):
        huggingface_hub.hf_hub_download("test/tiny", "model.safetensors")
    path = huggingface_hub.hf_hub_download("test/tiny", "model.safetensors")
    assert Path(path).read_bytes() == WEIGHTS
    blob = hub.blob("test/tiny", "model.safetensors")
    assert ("GET", blob, "bytes=1000-", 206) in hub.log
