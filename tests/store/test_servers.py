"""The real clients get from the servers what they get from the real ones."""

from __future__ import annotations

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import huggingface_hub
import pytest
import requests
from huggingface_hub import constants, errors

from .servers import ALWAYS, FileServer, ProxyServer

if TYPE_CHECKING:
    from .conftest import HubHome
    from .servers import HubServer

WEIGHTS = bytes(range(256)) * 40
REPO, NAME = "test/tiny", "model.safetensors"
ADDRESS = f"/{REPO}/resolve/main/{NAME}"


@pytest.fixture
def tiny(hub: HubServer, hub_home: HubHome) -> HubServer:
    """A Hub with one large file, which the Hub's library in this process uses."""
    hub.add(REPO, NAME, WEIGHTS)
    hub_home.use(hub.endpoint)
    return hub


# The Hub


def test_the_hub_serves_a_large_file_by_a_redirect(
    tiny: HubServer, hub_home: HubHome
) -> None:
    path = Path(huggingface_hub.hf_hub_download(REPO, NAME))
    assert path.read_bytes() == WEIGHTS
    assert path.is_relative_to(hub_home.hf_cache)
    assert tiny.log[0] == ("HEAD", ADDRESS, None, 302)
    assert tiny.log[-1] == ("GET", tiny.blob(REPO, NAME), None, 200)


def test_the_hub_serves_a_small_file_itself(tiny: HubServer) -> None:
    tiny.add(REPO, "config.json", b"{}")
    path = huggingface_hub.hf_hub_download(REPO, "config.json")
    assert Path(path).read_bytes() == b"{}"
    address = f"/{REPO}/resolve/main/config.json"
    assert tiny.log == [("HEAD", address, None, 200), ("GET", address, None, 200)]


def test_a_child_process_needs_no_more_than_variables(
    hub: HubServer, hub_home: HubHome
) -> None:
    hub.add(REPO, NAME, WEIGHTS)
    code = f"import huggingface_hub as h; print(h.hf_hub_download({REPO!r}, {NAME!r}))"
    run = hub_home.run(code, hub.endpoint)
    assert run.returncode == 0, run.stderr
    path = Path(run.stdout.strip())
    assert path.read_bytes() == WEIGHTS
    assert path.is_relative_to(hub_home.hf_cache)


def test_the_hub_tells_size_hash_and_commit_before_a_download(tiny: HubServer) -> None:
    found = huggingface_hub.get_hf_file_metadata(tiny.endpoint + ADDRESS)
    assert found.size == len(WEIGHTS)
    assert f"/blobs/{found.etag}" == tiny.blob(REPO, NAME)
    assert found.commit_hash == huggingface_hub.model_info(REPO).sha


def test_the_hub_lists_a_models_files(tiny: HubServer) -> None:
    tiny.add(REPO, "config.json", b"{}")
    info = huggingface_hub.model_info(REPO, files_metadata=True)
    sizes = {sibling.rfilename: sibling.size for sibling in info.siblings}
    assert sizes == {"config.json": 2, NAME: len(WEIGHTS)}
    folder = Path(huggingface_hub.snapshot_download(REPO))
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", NAME]


def test_an_older_commit_stays(tiny: HubServer) -> None:
    tiny.tag(REPO, "v1")
    newer = tiny.add(REPO, NAME, b"newer")
    paths = {
        revision: Path(huggingface_hub.hf_hub_download(REPO, NAME, revision=revision))
        for revision in ("v1", "main", newer)
    }
    assert paths["v1"].read_bytes() == WEIGHTS
    assert paths["main"] == paths[newer]
    assert paths["main"].read_bytes() == b"newer"


@pytest.mark.parametrize(
    ("repo", "name", "revision", "error"),
    [
        ("test/other", NAME, "main", errors.RepositoryNotFoundError),
        (REPO, "other.safetensors", "main", errors.EntryNotFoundError),
        (REPO, NAME, "v9", errors.RevisionNotFoundError),
        ("test/gated", NAME, "main", errors.GatedRepoError),
    ],
)
def test_a_refusal_becomes_the_hub_librarys_own_error(
    tiny: HubServer, repo: str, name: str, revision: str, error: type[Exception]
) -> None:
    tiny.add("test/gated", NAME, WEIGHTS)
    tiny.gate("test/gated")
    with pytest.raises(error):
        huggingface_hub.hf_hub_download(repo, name, revision=revision)


def test_a_gate_opens_to_its_token(tiny: HubServer) -> None:
    tiny.gate(REPO, token="hf_good")
    with pytest.raises(errors.GatedRepoError, match="403"):
        huggingface_hub.hf_hub_download(REPO, NAME, token="hf_bad")
    path = huggingface_hub.hf_hub_download(REPO, NAME, token="hf_good")
    assert Path(path).read_bytes() == WEIGHTS
    # The other host needs no token, and must not learn it.
    assert tiny.headers[0]["authorization"] == "Bearer hf_bad"
    assert tiny.log[-1].path == tiny.blob(REPO, NAME)
    assert "authorization" not in tiny.headers[-1]


def test_an_error_of_the_server_reaches_the_caller(tiny: HubServer) -> None:
    tiny.faults.status(500, times=ALWAYS)
    with pytest.raises(errors.HfHubHTTPError, match="500"):
        huggingface_hub.get_hf_file_metadata(tiny.endpoint + ADDRESS)
    # Any error of the first request counts as having no connection.
    with pytest.raises(errors.LocalEntryNotFoundError):
        huggingface_hub.hf_hub_download(REPO, NAME)


def test_the_hub_library_may_try_again_for_half_a_minute(
    tiny: HubServer, hub_home: HubHome
) -> None:
    tiny.faults.status(500, times=ALWAYS)
    with pytest.raises(errors.LocalEntryNotFoundError):
        huggingface_hub.hf_hub_download(REPO, NAME)
    # Earlier versions give up at once.
    assert hub_home.waits in ([], [1, 2, 4, 8, 8])
    assert len(tiny.log) in {1, 7}


def test_an_address_where_nobody_listens_counts_as_offline(
    nobody: str, hub_home: HubHome
) -> None:
    hub_home.use(nobody)
    with pytest.raises(errors.LocalEntryNotFoundError):
        huggingface_hub.hf_hub_download(REPO, NAME)


def test_the_hub_library_resumes_after_a_cut(
    tiny: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It keeps whole chunks only, of 10 MiB unless told otherwise.
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 500)
    tiny.faults.cut_after(1000)
    # Later versions try again themselves; earlier ones resume when asked again.
    with contextlib.suppress(requests.exceptions.ChunkedEncodingError):
        huggingface_hub.hf_hub_download(REPO, NAME)
    path = huggingface_hub.hf_hub_download(REPO, NAME)
    assert Path(path).read_bytes() == WEIGHTS
    assert ("GET", tiny.blob(REPO, NAME), "bytes=1000-", 206) in tiny.log


def test_the_hub_library_notices_a_missing_byte_but_no_wrong_one(
    tiny: HubServer,
) -> None:
    tiny.faults.truncate(len(WEIGHTS) - 1)
    with pytest.raises(OSError, match="Consistency check failed"):
        huggingface_hub.hf_hub_download(REPO, NAME, force_download=True)
    tiny.faults.corrupt(at=3)
    path = huggingface_hub.hf_hub_download(REPO, NAME, force_download=True)
    got = Path(path).read_bytes()
    assert got == WEIGHTS[:3] + b"\xfc" + WEIGHTS[4:]


# Models


def test_open_clip_loads_a_model_from_the_hub(
    hub: HubServer, hub_home: HubHome
) -> None:
    import open_clip
    import torch
    from safetensors.torch import save

    config = {
        "embed_dim": 8,
        "vision_cfg": {
            "image_size": 16,
            "layers": 1,
            "width": 16,
            "head_width": 8,
            "patch_size": 8,
        },
        "text_cfg": {"vocab_size": 32, "width": 16, "heads": 2, "layers": 1},
    }
    weights = open_clip.CLIP(**config).state_dict()
    hub.add(REPO, "open_clip_config.json", json.dumps({"model_cfg": config}).encode())
    hub.add(REPO, "open_clip_model.safetensors", save(weights))
    hub_home.use(hub.endpoint)
    model = open_clip.create_model(f"hf-hub:{REPO}")
    torch.testing.assert_close(model.state_dict(), weights, rtol=0, atol=0)


def test_timm_loads_a_model_from_the_hub(hub: HubServer, hub_home: HubHome) -> None:
    import timm
    import torch
    from safetensors.torch import save

    name = "vit_tiny_patch16_224"
    shape = {"embed_dim": 16, "depth": 1, "num_heads": 2, "img_size": 32}
    weights = timm.create_model(name, num_classes=0, **shape).state_dict()
    config = {
        "architecture": name,
        "num_classes": 0,
        "model_args": shape,
        "pretrained_cfg": {"input_size": [3, 32, 32], "num_classes": 0},
    }
    hub.add("test/tiny-vit", "config.json", json.dumps(config).encode())
    hub.add("test/tiny-vit", "model.safetensors", save(weights))
    hub_home.use(hub.endpoint)
    model = timm.create_model("hf_hub:test/tiny-vit", pretrained=True)
    torch.testing.assert_close(model.state_dict(), weights, rtol=0, atol=0)


# Plain files


@pytest.mark.parametrize(
    ("wanted", "status", "body", "part"),
    [
        (None, 200, b"0123456789", None),
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=7-99", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
    ],
)
def test_a_range_of_a_file(
    files: FileServer, wanted: str | None, status: int, body: bytes, part: str | None
) -> None:
    url = files.add("sam.pth", b"0123456789")
    response = requests.get(url, headers={"Range": wanted}, timeout=10)
    assert (response.status_code, response.content) == (status, body)
    assert response.headers.get("Content-Range") == part
    assert files.log == [("GET", "/sam.pth", wanted, status)]


def test_a_head_tells_size_and_version(files: FileServer) -> None:
    url = files.add("sam.pth", b"0123456789")
    before = requests.head(url, timeout=10).headers
    files.replace("sam.pth", b"01234")
    after = requests.head(url, timeout=10).headers
    assert (before["Content-Length"], after["Content-Length"]) == ("10", "5")
    assert before["ETag"] != after["ETag"]
    assert before["Last-Modified"] != after["Last-Modified"]


@pytest.mark.parametrize("version", ["ETag", "Last-Modified"])
def test_if_range_gives_a_part_of_the_same_version_only(
    files: FileServer, version: str
) -> None:
    url = files.add("sam.pth", b"0123456789")
    seen = requests.head(url, timeout=10).headers[version]
    part = {"Range": "bytes=4-", "If-Range": seen}
    assert requests.get(url, headers=part, timeout=10).content == b"456789"
    files.replace("sam.pth", b"abcdefghij")
    response = requests.get(url, headers=part, timeout=10)
    assert (response.status_code, response.content) == (200, b"abcdefghij")


def test_a_missing_file_is_not_found(files: FileServer) -> None:
    assert requests.get(files.url("sam.pth"), timeout=10).status_code == 404


# Faults


def test_a_cut_ends_the_connection_early(files: FileServer) -> None:
    url = files.add("sam.pth", WEIGHTS)
    files.faults.cut_after(100)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="100 bytes"):
        requests.get(url, timeout=10)
    assert requests.get(url, timeout=10).content == WEIGHTS


def test_a_truncated_file_looks_whole(files: FileServer) -> None:
    url = files.add("sam.pth", WEIGHTS)
    files.faults.truncate(100)
    assert requests.get(url, timeout=10).content == WEIGHTS[:100]


def test_a_server_without_ranges_sends_everything(files: FileServer) -> None:
    url = files.add("sam.pth", WEIGHTS)
    files.faults.no_ranges()
    response = requests.get(url, headers={"Range": "bytes=7-"}, timeout=10)
    assert (response.status_code, response.content) == (200, WEIGHTS)


def test_a_status_may_say_when_to_come_back(files: FileServer) -> None:
    url = files.add("sam.pth", WEIGHTS)
    files.faults.status(429, times=2, retry_after=7)
    first, second, third = (requests.get(url, timeout=10) for _ in range(3))
    assert (first.status_code, first.headers["Retry-After"]) == (429, "7")
    assert (second.status_code, third.status_code) == (429, 200)


def test_a_fault_may_concern_one_path_and_method(files: FileServer) -> None:
    files.add("a", b"a")
    files.add("b", b"b")
    files.faults.status(503, path="/b", method="GET")
    assert requests.get(files.url("a"), timeout=10).ok
    assert requests.head(files.url("b"), timeout=10).ok
    assert requests.get(files.url("b"), timeout=10).status_code == 503


def test_a_server_that_hangs_runs_into_the_clients_limit(files: FileServer) -> None:
    url = files.add("sam.pth", WEIGHTS)
    files.faults.hang()
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(url, timeout=0.1)
    assert files.log == [("GET", "/sam.pth", None, None)]


@pytest.mark.parametrize("size", [0, 1000])
def test_a_server_waits_in_a_file_until_told(files: FileServer, size: int) -> None:
    url = files.add("sam.pth", WEIGHTS)
    pause = files.faults.pause_after(size)
    with requests.get(url, stream=True, timeout=10) as response:
        assert pause.reached.wait(10)
        assert response.raw.read(size) == WEIGHTS[:size]
        pause.resume()
        assert response.raw.read() == WEIGHTS[size:]


@pytest.mark.parametrize("fault", ["slow", "pause"])
def test_a_stop_ends_a_file_that_is_on_its_way(fault: str) -> None:
    server = FileServer()
    url = server.add("sam.pth", WEIGHTS)
    if fault == "slow":
        server.faults.slow(bytes_per_second=20)
    else:
        server.faults.pause_after(10)
    with requests.get(url, stream=True, timeout=10) as response:
        server.stop()
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            response.content  # noqa: B018


def test_a_stop_ends_a_request_without_an_answer() -> None:
    server = FileServer()
    url = server.add("sam.pth", WEIGHTS)
    pause = server.faults.hang()
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(requests.get, url, timeout=60)
        assert pause.reached.wait(10)
        server.stop()
        with pytest.raises(requests.exceptions.ConnectionError):
            request.result()


def test_an_error_in_a_server_shows_when_it_stops() -> None:
    server = FileServer()
    server.answer = None  # type: ignore[assignment]
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(server.url("sam.pth"), timeout=10)
    with pytest.raises(TypeError):
        server.stop()


# Proxies and certificates


def test_a_proxy_serves_a_host_that_only_it_knows(
    files: FileServer, proxy: ProxyServer
) -> None:
    files.add("sam.pth", WEIGHTS)
    url = proxy.route("weights.example", files) + "/sam.pth"
    response = requests.get(
        url, headers={"Range": "bytes=7-"}, proxies={"http": proxy.url}, timeout=10
    )
    assert response.content == WEIGHTS[7:]
    assert proxy.log == [("GET", url, "bytes=7-", 206)]
    assert files.log == [("GET", "/sam.pth", "bytes=7-", 206)]


def test_tls_goes_through_a_proxy_in_a_tunnel(
    tls_files: FileServer, proxy: ProxyServer, ca_file: Path
) -> None:
    tls_files.add("sam.pth", WEIGHTS)
    url = proxy.route("weights.example", tls_files) + "/sam.pth"
    assert url == "https://weights.example/sam.pth"
    response = requests.get(
        url, proxies={"https": proxy.url}, verify=ca_file, timeout=10
    )
    assert response.content == WEIGHTS
    assert proxy.log == [("CONNECT", "weights.example:443", None, 200)]


def test_a_proxy_may_want_a_password(files: FileServer) -> None:
    with ProxyServer("ada", "secret") as proxy:
        files.add("sam.pth", WEIGHTS)
        url = proxy.route("weights.example", files) + "/sam.pth"
        for login, status in (("", 407), ("ada:wrong@", 407), ("ada:secret@", 200)):
            address = f"http://{login}127.0.0.1:{proxy.port}"
            response = requests.get(url, proxies={"http": address}, timeout=10)
            assert response.status_code == status
        assert address == proxy.url
    assert len(files.log) == 1


def test_a_proxy_reaches_no_other_machine(proxy: ProxyServer) -> None:
    response = requests.get(
        "http://other.example/", proxies={"http": proxy.url}, timeout=10
    )
    assert response.status_code == 502


def test_the_hub_library_takes_the_proxy_of_the_environment(
    hub: HubServer, hub_home: HubHome, proxy: ProxyServer
) -> None:
    hub.add(REPO, NAME, WEIGHTS)
    endpoint = proxy.route("hub.example", hub)
    hub.blobs_endpoint = proxy.route("blobs.example", hub.blobs)
    code = f"import huggingface_hub as h; print(h.hf_hub_download({REPO!r}, {NAME!r}))"
    run = hub_home.run(code, endpoint, HTTP_PROXY=proxy.url, http_proxy=proxy.url)
    assert run.returncode == 0, run.stderr
    assert Path(run.stdout.strip()).read_bytes() == WEIGHTS
    assert proxy.log[0] == ("HEAD", endpoint + ADDRESS, None, 302)
    assert proxy.log[-1].path == hub.blobs_endpoint + hub.blob(REPO, NAME)


def test_a_certificate_needs_an_authority_that_the_client_trusts(
    tls_files: FileServer, ca_file: Path
) -> None:
    url = tls_files.add("sam.pth", WEIGHTS)
    assert url.startswith("https://127.0.0.1:")
    with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        requests.get(url, timeout=10)
    assert requests.get(url, verify=ca_file, timeout=10).content == WEIGHTS
