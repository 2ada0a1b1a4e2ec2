"""Files of a plain server, as SAM's: whole, broken off, changed, refused, cancelled."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from napari_s2clip.models.cards import SAMS
from napari_s2clip.progress import Cancelled, CancelToken
from napari_s2clip.store import (
    ChecksumMismatch,
    DownloadFailed,
    NotEnoughSpace,
    Offline,
    StoreError,
    Transfer,
    WeightStore,
    https,
    records,
)
from napari_s2clip.store import store as store_module
from napari_s2clip.store import transfer as transfer_module
from napari_s2clip.store.https import fetch, part_file
from napari_s2clip.store.records import sha256

from .servers import ALWAYS, ProxyServer

if TYPE_CHECKING:
    from napari_s2clip.models.cards import ModelCard

    from .conftest import HubHome
    from .servers import FileServer

CONTENT = os.urandom(300_000)
HASH = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def card(files: FileServer) -> ModelCard:
    url = files.add("/sam.pth", CONTENT)
    return replace(
        SAMS["sam-b"], filename="sam.pth", url=url, size=len(CONTENT), sha256=HASH
    )


@pytest.fixture
def store(hub_home: HubHome) -> WeightStore:
    return WeightStore()


def gets(files: FileServer) -> list[str | None]:
    """The Range header of each request for a file."""
    return [entry.range for entry in files.log if entry.method == "GET"]


def left_over(store: WeightStore) -> list[str]:
    return sorted(p.name for p in (store.folder / "segment-anything").glob("*"))


def break_off(files: FileServer, card: ModelCard, store: WeightStore, at: int) -> None:
    """Leave a part of so many bytes, and a server that works again."""
    files.faults.cut_after(at)
    files.faults.cut_after(0, times=ALWAYS)
    with pytest.raises(DownloadFailed):
        store.download(card, pause=0)
    files.faults.clear()


def test_a_whole_download_is_checked_and_recorded(files, card, store):
    seen: list[Transfer] = []
    assert not store.state(card).installed
    path = store.download(card, progress=seen.append)
    assert path.read_bytes() == CONTENT
    assert path == store.home(card) == store.find(card)
    assert left_over(store) == ["sam.pth"]
    assert [t.step for t in seen if t.done == t.total][-1] == "checking"
    downloads = [t for t in seen if t.step == "downloading"]
    assert downloads[-1].done == downloads[-1].total == len(CONTENT)
    assert {t.card for t in seen} == {"SAM ViT-B"}
    state = store.state(card)
    assert (state.installed, state.size, state.sha256) == (True, len(CONTENT), HASH)
    # Once is enough.
    assert store.download(card) == path
    assert gets(files) == [None]


def test_it_goes_on_where_the_connection_broke_off(files, card, store):
    files.faults.cut_after(100_000)
    files.faults.cut_after(50_000)
    waits: list[Transfer] = []
    path = store.download(
        card,
        pause=0,
        progress=lambda t: waits.append(t) if t.step == "waiting" else None,
    )
    assert path.read_bytes() == CONTENT
    assert gets(files) == [None, "bytes=100000-", "bytes=150000-"]
    assert "broke off after 100000 of 300000 bytes" in waits[0].message


def test_a_later_download_goes_on_too(files, card, store):
    files.faults.cut_after(200_000)
    files.faults.cut_after(0, times=ALWAYS)
    with pytest.raises(DownloadFailed, match="broke off after 200000 of 300000"):
        store.download(card, pause=0)
    assert not store.state(card).installed
    assert store.state(card).size == 200_000
    assert left_over(store) == ["sam.pth.part", "sam.pth.part.json"]
    files.faults.clear()
    files.log.clear()
    assert store.download(card).read_bytes() == CONTENT
    assert gets(files) == ["bytes=200000-"]


def test_parts_of_two_versions_are_never_joined(files, card, store):
    break_off(files, card, store, 100_000)
    other = os.urandom(len(CONTENT))
    files.replace("/sam.pth", other)
    new = replace(card, sha256=hashlib.sha256(other).hexdigest())
    assert store.download(new).read_bytes() == other


def test_a_server_without_ranges_starts_over(files, card, store):
    files.faults.no_ranges()
    files.faults.cut_after(100_000)
    assert store.download(card, pause=0).read_bytes() == CONTENT
    assert gets(files) == [None, "bytes=100000-"]


def test_a_part_that_is_too_long_is_dropped(files, card, store):
    break_off(files, card, store, 100_000)
    with part_file(store.home(card)).open("ab") as stream:
        stream.write(bytes(300_000))
    assert store.download(card, pause=0).read_bytes() == CONTENT


def test_other_bytes_than_published_never_get_the_name(files, card, store):
    files.faults.corrupt(at=1234)
    with pytest.raises(ChecksumMismatch) as caught:
        store.download(card)
    message = str(caught.value)
    for word in ("sam.pth", card.url, HASH, "deleted; try again"):
        assert word in message
    assert "\n" not in message
    assert left_over(store) == []
    assert store.download(card).read_bytes() == CONTENT


@pytest.mark.parametrize("size", [1000, 400_000])
def test_a_file_of_another_size_is_not_even_fetched(files, card, store, size):
    files.replace("/sam.pth", bytes(size))
    with pytest.raises(DownloadFailed, match=f"offers {size} bytes, not the 300000"):
        store.download(card)
    assert left_over(store) == []


def test_a_login_page_is_no_checkpoint(files, card, store):
    files.faults.truncate(3000)
    unknown = replace(card, size=0)
    with pytest.raises(ChecksumMismatch):
        store.download(unknown)


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_will_not_change_is_asked_once(files, card, store, status):
    files.faults.status(status, times=ALWAYS)
    with pytest.raises(DownloadFailed) as caught:
        store.download(card, pause=0)
    assert len(files.log) == 1
    message = str(caught.value)
    start = f"sam.pth from {card.url}: the server answered {status}"
    assert message.startswith(start)
    assert message.endswith("by hand (`napari-s2clip models path`)")


def test_what_may_pass_is_asked_again(files, card, store):
    files.faults.status(500)
    files.faults.status(503, retry_after=0)
    files.faults.status(429)
    assert store.download(card, pause=0).read_bytes() == CONTENT
    assert len(files.log) == 4


def test_it_gives_up_after_five_attempts_in_a_row(files, card, store):
    files.faults.status(500, times=ALWAYS)
    with pytest.raises(DownloadFailed, match=r"answered 500 .* try again later"):
        store.download(card, pause=0)
    assert len(files.log) == 5


def test_pauses_double(files, card, tmp_path):
    files.faults.status(500, times=ALWAYS)
    pauses: list[float] = []
    with pytest.raises(DownloadFailed):
        fetch(
            card.url,
            tmp_path / "x",
            on_event=lambda *_, **__: None,
            pause=2,
            sleep=pauses.append,
        )
    assert pauses == [2, 4, 8, 16]
    pauses.clear()
    files.faults.clear()
    files.faults.status(503, retry_after=7)
    fetch(
        card.url,
        tmp_path / "x",
        on_event=lambda *_, **__: None,
        pause=2,
        sleep=pauses.append,
    )
    assert pauses == [7]


def test_nobody_answers(card, store):
    # Port 9 of this machine is closed.
    away = replace(card, url="http://127.0.0.1:9/sam.pth")
    with pytest.raises(DownloadFailed, match=r"the connection failed .*refused"):
        store.download(away, pause=0)


@pytest.mark.parametrize("fault", ["slow", "hang"])
def test_cancel_acts_at_once(files, card, store, fault):
    """Also where the server sends nothing more; otherwise this test never ends."""
    if fault == "slow":
        files.faults.slow(100)
    else:
        files.faults.pause_after(100_000)
    token = CancelToken()

    def on_progress(transfer: Transfer) -> None:
        if transfer.done:
            token.cancel()

    with pytest.raises(Cancelled):
        store.download(card, progress=on_progress, cancel=token)
    assert left_over(store) == ["sam.pth.part", "sam.pth.part.json"]
    assert not store.state(card).installed
    files.faults.clear()
    assert store.download(card).read_bytes() == CONTENT


def test_a_full_disk_is_seen_beforehand(files, card, store, monkeypatch):
    monkeypatch.setattr(transfer_module, "free_space", lambda path: 50_000_000)
    with pytest.raises(
        NotEnoughSpace, match=r"needs 0\.00 GB and the disk of .* 0\.05"
    ):
        store.download(card)
    assert not store.state(card).installed


def test_a_disk_that_fills_up_meanwhile(card, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(https, "_write", full)
    with pytest.raises(NotEnoughSpace, match="is full; free some space"):
        fetch(card.url, tmp_path / "sam.pth", on_event=lambda *_, **__: None)


def test_a_folder_that_cannot_be_written_to(files, card, tmp_path):
    taken = tmp_path / "file"
    taken.write_bytes(b"")
    with pytest.raises(StoreError, match=r"cannot be written to .* NAPARI_S2CLIP_C"):
        WeightStore(taken).download(card)


def test_through_a_proxy(files, card, store, proxy, monkeypatch):
    away = replace(card, url=proxy.route("weights.example", files) + "/sam.pth")
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    assert store.download(away).read_bytes() == CONTENT
    assert proxy.log[-1] == ("GET", away.url, None, 200)


def test_through_a_proxy_by_https_with_certificates_of_the_organisation(
    tls_files, card, store, proxy, ca_file, monkeypatch
):
    tls_files.add("/sam.pth", CONTENT)
    away = replace(card, url=proxy.route("weights.example", tls_files) + "/sam.pth")
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    with pytest.raises(DownloadFailed) as caught:
        store.download(away, pause=0)
    assert "certificate of the server is not trusted" in str(caught.value)
    assert "REQUESTS_CA_BUNDLE" in str(caught.value)
    assert len(proxy.log) == 1  # it will not be trusted the next time either
    # What the hub's client reads is taken here too.
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    assert store.download(away).read_bytes() == CONTENT
    store.remove(away)
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_file))
    assert store.download(away).read_bytes() == CONTENT


def test_a_proxy_that_refuses(files, card, store, monkeypatch):
    with ProxyServer("ada", "secret") as proxy:
        away = replace(card, url=proxy.route("weights.example", files) + "/sam.pth")
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(DownloadFailed, match="answered 407"):
            store.download(away, pause=0)
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert store.download(away).read_bytes() == CONTENT


def test_no_way_from_https_to_http(tls_files, files, card, store, ca_file, monkeypatch):
    files.add("/sam.pth", CONTENT)
    url = tls_files.add("/sam.pth", CONTENT)
    tls_files.faults.status(302, headers={"Location": files.url("/sam.pth")})
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_file))
    with pytest.raises(DownloadFailed, match=r"^sam.* redirected to http:.*, unen"):
        store.download(replace(card, url=url))
    assert store.find(card) is None


_DOWNLOAD = """
import json, sys
from dataclasses import replace
from napari_s2clip.models.cards import SAMS
from napari_s2clip.store import WeightStore
card = replace(SAMS["sam-b"], **json.loads(sys.argv[1]))
print(WeightStore().download(card))
"""


def start(card: ModelCard) -> subprocess.Popen[str]:
    facts = {k: getattr(card, k) for k in ("filename", "url", "size", "sha256")}
    return subprocess.Popen(
        [sys.executable, "-c", _DOWNLOAD, json.dumps(facts)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_processes_download_once(files, card, store):
    pause = files.faults.pause_after(100_000)
    first = start(card)
    assert pause.reached.wait(60)
    waiting, results = threading.Event(), []

    def on_progress(transfer: Transfer) -> None:
        if transfer.message == "another program downloads it":
            waiting.set()

    second = threading.Thread(
        target=lambda: results.append(store.download(card, progress=on_progress))
    )
    second.start()
    assert waiting.wait(60)
    pause.resume()
    out, _ = first.communicate(timeout=60)
    second.join(60)
    assert out.strip() == str(results[0]) == str(store.home(card))
    assert gets(files) == [None]


def test_models_that_share_a_file_wait_for_each_other(files, card, store):
    pause = files.faults.pause_after(100_000)
    first = start(card)
    assert pause.reached.wait(60)
    other = replace(card, name="sam-b-16", role="vfm")
    token = CancelToken()

    def on_progress(transfer: Transfer) -> None:
        assert transfer.message == "another program downloads it"
        token.cancel()

    with pytest.raises(Cancelled):
        store.download(other, progress=on_progress, cancel=token)
    pause.resume()
    first.communicate(timeout=60)
    assert store.find(other) == store.home(card)
    assert gets(files) == [None]


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_a_killed_program_leaves_no_half_file_and_no_download(files, card, store):
    pause = files.faults.pause_after(100_000)
    first = start(card)
    assert pause.reached.wait(60)
    while store.state(card).size < 100_000:
        time.sleep(0.01)
    first.kill()
    first.communicate()
    assert store.find(card) is None
    assert left_over(store) == ["sam.pth.part", "sam.pth.part.json"]
    # The lock is free, and what the dead one has fetched is used.
    assert store.download(card).read_bytes() == CONTENT
    assert gets(files) == [None, "bytes=100000-"]


def test_offline(files, card, store, monkeypatch):
    offline = WeightStore(offline=True)
    with pytest.raises(Offline, match=r"sam\.pth from http.* may not be used; unset"):
        offline.download(card)
    for name in ("NAPARI_S2CLIP_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "1")
        with pytest.raises(Offline):
            store.download(card)
        monkeypatch.setenv(name, "0")
    assert files.log == []
    path = store.download(card)
    assert offline.download(card) == path


def test_a_published_checksum_is_held_at_every_load(card, store):
    path = store.download(card)
    assert store.check(card, path) == HASH
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(ChecksumMismatch, match=r"which was published; .*repair sam-b"):
        store.check(card, path)
    assert store.verify(card) == "damaged"


def test_the_first_checksum_is_held_where_none_is_published(files, card, store):
    unknown = replace(card, sha256="", size=0)
    path = store.download(unknown)
    state = store.state(unknown)
    assert (state.sha256, state.published) == (HASH, False)
    assert store.verify(unknown) == "good"
    path.write_bytes(b"other")
    with pytest.raises(ChecksumMismatch, match="recorded when it was first used"):
        store.check(unknown, path)
    assert store.verify(unknown) == "damaged"
    store.remove(unknown)
    assert store.verify(unknown) == "missing"
    assert not store.state(unknown).sha256
    # A file that was put there by hand is recorded by its first use.
    path.write_bytes(b"mine")
    assert store.verify(unknown) == "unverified"
    assert store.verify(unknown) == "good"


def test_a_file_is_read_through_once(card, store, monkeypatch):
    read = []

    def counted(path, *args):
        read.append(path)
        return sha256(path, *args)

    for module in (records, store_module):
        monkeypatch.setattr(module, "sha256", counted)
    path = store.download(card)
    assert len(read) == 1
    monkeypatch.setattr("napari_s2clip.store.records.sha256", None)
    assert store.check(card, path) == HASH


def test_remove_frees_what_is_there(files, card, store):
    store.download(card)
    assert store.remove(card) == len(CONTENT)
    assert left_over(store) == []
    assert store.remove(card) == 0
    break_off(files, card, store, 1000)
    assert store.remove(card) >= 1000
    assert left_over(store) == []


@pytest.mark.parametrize(
    "change", [{"architecture": "demo"}, {"path": "own"}], ids=["built in", "own"]
)
def test_what_is_not_the_stores_stays(card, store, tmp_path, change):
    own = tmp_path / "own.pth"
    own.write_bytes(b"x")
    if "path" in change:
        change = {"path": own}
    with pytest.raises(StoreError, match="nothing was deleted"):
        store.remove(replace(card, **change))
    assert own.is_file()


def test_a_card_without_an_address(card, store):
    lost = replace(card, url="", repository="")
    with pytest.raises(StoreError, match="nothing is known of where SAM ViT-B is"):
        store.download(lost)


def test_a_child_that_dies_is_told(card, store, monkeypatch):
    monkeypatch.setattr(transfer_module, "__package__", "napari_s2clip.nowhere")
    with pytest.raises(DownloadFailed, match=r"exit code 1; .*No module named"):
        store.download(card)


def test_records_that_are_damaged_count_as_none(card, store):
    path = store.download(card)
    for text in ("", "[]", '{"files": 3, "first": []}', '{"files": {"x": 1}}', "\0"):
        store.records.path.write_text(text)
        assert store.check(card, path) == HASH


def test_time_left():
    half = Transfer("SAM", "downloading", 500, 1000, rate=50.0)
    assert half.seconds_left == 10
    assert replace(half, rate=0.0).seconds_left is None
    assert replace(half, total=0).seconds_left is None


def test_a_file_that_goes_while_it_is_looked_at_is_not_there(store, card, tmp_path):
    store.find = lambda card: tmp_path / "gone"
    state = store.state(card)
    assert (state.path, state.size) == (None, 0)
