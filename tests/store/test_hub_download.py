"""Files of the Hugging Face Hub, by its own client: CLIP, DINO and DINOv2."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from napari_s2clip.models.cards import CLIPS
from napari_s2clip.progress import Cancelled, CancelToken
from napari_s2clip.store import (
    ChecksumMismatch,
    DownloadFailed,
    NotEnoughSpace,
    Offline,
    StoreError,
    Transfer,
    WeightStore,
)
from napari_s2clip.store import transfer as transfer_module
from napari_s2clip.store.hub_cache import find_in_hub
from napari_s2clip.store.places import hub_folder

from .servers import ALWAYS

if TYPE_CHECKING:
    from .conftest import HubHome
    from .servers import HubServer

CONTENT = os.urandom(300_000)
HASH = hashlib.sha256(CONTENT).hexdigest()
CARD = replace(CLIPS["clip-b-16"], repository="test/clip", memory=len(CONTENT))


@pytest.fixture
def store(hub: HubServer, hub_home: HubHome, monkeypatch) -> WeightStore:
    hub.add("test/clip", CARD.filename, CONTENT)
    hub.add("test/clip", "open_clip_config.json", b"{}")
    # The hub under another name is how mirrors are used.
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    return WeightStore()


def file_gets(hub: HubServer) -> int:
    return sum(e.method == "GET" and "/blobs/" in e.path for e in hub.log)


def test_a_whole_download_with_its_companion(hub, store, hub_home):
    seen: list[Transfer] = []
    path = store.download(CARD, progress=seen.append)
    assert path.read_bytes() == CONTENT
    assert path == store.find(CARD)
    assert path.is_relative_to(hub_home.s2clip_cache / "hub")
    assert path.with_name("open_clip_config.json").read_bytes() == b"{}"
    assert seen[0].total == len(CONTENT)
    assert (seen[-1].step, seen[-1].done) == ("checking", len(CONTENT))
    assert store.state(CARD).sha256 == HASH
    assert store.verify(CARD) == "good"
    assert store.download(CARD) == path
    assert file_gets(hub) == 1


def test_a_companion_may_be_missing(hub, store):
    hub.add("test/alone", CARD.filename, CONTENT)
    path = store.download(replace(CARD, repository="test/alone"))
    assert [p.name for p in path.parent.iterdir()] == [CARD.filename]


def test_without_a_folder_of_its_own_it_is_in_the_hubs_cache(
    hub, store, hub_home, monkeypatch
):
    monkeypatch.delenv("NAPARI_S2CLIP_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(hub_home.s2clip_cache))
    hub_home.use(hub.endpoint)
    path = store.download(CARD)
    assert path.is_relative_to(hub_home.hf_cache)
    # A folder that is chosen later finds it too.
    assert WeightStore(hub_home.s2clip_cache / "other").find(CARD) == path


def test_what_other_programs_have_fetched_is_found(hub, store, hub_home):
    import huggingface_hub

    hub_home.use(hub.endpoint)
    path = huggingface_hub.hf_hub_download("test/clip", CARD.filename)
    assert str(store.find(CARD)) == path
    assert str(find_in_hub(CARD, hub_home.hf_cache)) == path
    assert store.verify(CARD) == "unverified"
    assert store.verify(CARD) == "good"
    count = len(hub.log)
    store.download(CARD)
    assert len(hub.log) == count
    # It is not this store's to delete.
    with pytest.raises(StoreError, match="which other programs share; delete it th"):
        store.remove(CARD)
    assert str(store.find(CARD)) == path


def test_a_file_put_there_by_hand_comes_first(store):
    own = store.home(CARD)
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    assert store.find(CARD) == own


def test_other_bytes_than_the_hub_announces_are_deleted(hub, store):
    hub.faults.corrupt(at=99, path="/blobs/")
    with pytest.raises(ChecksumMismatch) as caught:
        store.download(CARD)
    assert HASH in str(caught.value)
    assert "\n" not in str(caught.value)
    assert store.find(CARD) is None
    assert store.download(CARD).read_bytes() == CONTENT


def test_a_truncated_file_is_fetched_again(hub, store):
    hub.faults.truncate(1000, path="/blobs/")
    assert store.download(CARD, pause=0).read_bytes() == CONTENT


def test_a_connection_that_breaks_off(hub, store):
    hub.faults.cut_after(100_000, path="/blobs/")
    assert store.download(CARD, pause=0).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "answered 401: it may only be had with an account; log in"),
        (403, "answered 403: it may only be had with an account; log in"),
        (404, "answered 404 Not Found; put the file into its folder by hand"),
    ],
)
def test_what_will_not_change_is_asked_once(hub, store, status, message):
    hub.faults.status(status, times=ALWAYS)
    with pytest.raises(DownloadFailed, match=message) as caught:
        store.download(CARD, pause=0)
    assert len(hub.log) == 1
    assert f"{CARD.filename} from {hub.endpoint}/test/clip" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_gated_repository(hub, store):
    hub.gate("test/clip")
    with pytest.raises(DownloadFailed, match="only be had with an account"):
        store.download(CARD, pause=0)


def test_what_may_pass_is_asked_again(hub, store):
    hub.faults.status(500, method="HEAD")
    hub.faults.status(503, method="HEAD")
    waits: list[str] = []
    store.download(CARD, pause=0, progress=lambda t: waits.append(t.message))
    assert any("answered 500" in wait for wait in waits)


def test_nobody_answers(store, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DownloadFailed) as caught:
        store.download(CARD, pause=0)
    assert "the connection failed" in str(caught.value)
    assert "refused" in str(caught.value)
    assert "HF_ENDPOINT" in str(caught.value)


def test_cancel_acts_at_once(hub, store):
    pause = hub.faults.pause_after(100_000, path="/blobs/")
    token = CancelToken()
    threading.Thread(
        target=lambda: pause.reached.wait(60) and token.cancel(), daemon=True
    ).start()
    with pytest.raises(Cancelled):
        store.download(CARD, cancel=token)
    assert store.find(CARD) is None
    # What no later download would use is not left behind.
    blobs = hub_folder() / "models--test--clip" / "blobs"
    assert all(re.fullmatch(r"[0-9a-f]{64}.*", p.stem) for p in blobs.iterdir())
    assert len(list(blobs.iterdir())) <= 1
    assert store.download(CARD).read_bytes() == CONTENT


def test_a_full_disk_is_seen_beforehand(hub, store, monkeypatch):
    # The process that downloads would else be done with so small a file.
    hub.faults.pause_after(100_000, path="/blobs/")
    monkeypatch.setattr(transfer_module, "free_space", lambda path: 0)
    with pytest.raises(NotEnoughSpace, match="free some space"):
        store.download(CARD)
    assert store.find(CARD) is None


def test_two_threads_download_once(hub, store):
    pause = hub.faults.pause_after(100_000, path="/blobs/")
    results, waiting = [], threading.Event()

    def download(progress=None):
        results.append(WeightStore().download(CARD, progress=progress))

    first = threading.Thread(target=download)
    first.start()
    assert pause.reached.wait(60)
    second = threading.Thread(
        target=download,
        args=(lambda t: waiting.set() if t.step == "waiting" else None,),
    )
    second.start()
    assert waiting.wait(60)
    pause.resume()
    first.join(60)
    second.join(60)
    assert results[0] == results[1]
    assert file_gets(hub) == 1


def test_a_damaged_file_is_removed_and_fetched_again(hub, store):
    path = store.download(CARD)
    path.write_bytes(b"bad" + CONTENT[3:])
    assert store.verify(CARD) == "damaged"
    with pytest.raises(ChecksumMismatch):
        store.check(CARD, path)
    assert store.remove(CARD) >= len(CONTENT)
    assert store.find(CARD) is None
    assert store.download(CARD).read_bytes() == CONTENT
    assert store.verify(CARD) == "good"


def test_no_file_counts_as_whole_before_it_is(hub, store):
    """What the client leaves of a broken download is not found."""
    hub.faults.status(404, times=ALWAYS, path="/blobs/")
    with pytest.raises(DownloadFailed):
        store.download(CARD, pause=0)
    folder = hub_folder() / "models--test--clip"
    assert store.find(CARD) is None
    folder.mkdir(parents=True, exist_ok=True)
    for text in ("", "zz", "../../..", "\xff"):
        (folder / "refs").mkdir(exist_ok=True)
        (folder / "refs" / "main").write_bytes(text.encode("latin-1"))
        assert store.find(CARD) is None


def test_through_a_proxy(hub, store, proxy, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", proxy.route("hub.example", hub))
    hub.blobs_endpoint = proxy.route("blobs.example", hub.blobs)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, proxy.url)
    assert store.download(CARD, pause=0).read_bytes() == CONTENT
    assert all("example" in entry.path for entry in proxy.log)


def test_what_the_environment_forbids(hub, store, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(Offline, match="unset NAPARI_S2CLIP_OFFLINE and HF_HUB_OFF"):
        store.download(CARD)
    assert hub.log == []
