"""The store: complete entries or none, the least used ones leave first."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from errno import ENOSPC, ENOTEMPTY
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_s2clip.features import entry as entry_module
from napari_s2clip.features.store import LIMIT_VARIABLE, FeatureStore

KEYS = [f"{i:040x}" for i in range(100)]
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(-1e9, 1e9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=8,
)
DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(endianness="?", sizes=(64, 128)),
    hnp.datetime64_dtypes(max_period="D"),
    hnp.unicode_string_dtypes(max_len=5),
    st.just(np.dtype([("a", "<i4"), ("b", ">f8", (2,))])),
)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, min_side=0, max_side=4))


@pytest.fixture
def store(tmp_path) -> FeatureStore:
    return FeatureStore(tmp_path / "features")


def block(megabytes: int = 1, value: int = 0) -> dict[str, np.ndarray]:
    return {"x": np.full(megabytes * 10**6, value, np.uint8)}


def put_at(store: FeatureStore, key: str, seconds: int, megabytes: int = 1) -> None:
    """Put an entry and say when it was used."""
    assert store.put(key, block(megabytes), {})
    os.utime(store.folder / key / "used", (seconds, seconds))


def kept(store: FeatureStore) -> set[str]:
    return {path.name for path in store.folder.iterdir()}


# ------------------------------------------------------------------ round trip


@given(
    arrays=st.dictionaries(st.text(), ARRAYS, max_size=4),
    meta=st.dictionaries(st.text(), PLAIN, max_size=4),
)
def test_arrays_and_meta_come_back_as_they_were(tmp_path_factory, arrays, meta):
    store = FeatureStore(tmp_path_factory.mktemp("store"))
    assert store.put(KEYS[0], arrays, meta)
    found, about = store.get(KEYS[0])
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
    assert about == meta


def test_arrays_in_another_memory_layout_keep_their_values(store):
    base = np.arange(24).reshape(2, 3, 4)
    arrays = {"f": np.asfortranarray(base), "strided": base[:, ::-1, ::2]}
    store.put(KEYS[0], arrays, {})
    found, _ = store.get(KEYS[0])
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


def test_arrays_are_mapped_and_writing_to_them_changes_no_file(store):
    store.put(KEYS[0], {"x": np.arange(5)}, {})
    found, _ = store.get(KEYS[0])
    assert isinstance(found["x"], np.memmap)
    found["x"][:] = 7
    again, _ = store.get(KEYS[0])
    np.testing.assert_array_equal(again["x"], np.arange(5))


def test_another_store_object_finds_the_entry(store):
    store.put(KEYS[0], block(), {"a": 1})
    assert FeatureStore(store.folder).get(KEYS[0])[1] == {"a": 1}


def test_what_is_not_there_is_none(store):
    assert store.get(KEYS[0]) is None
    assert store.usage() == (0, 0)
    assert store.clear() == 0
    assert not store.discard(KEYS[0])
    assert not store.folder.exists()


def test_an_entry_that_is_there_stays(store):
    store.put(KEYS[0], block(value=1), {})
    assert store.put(KEYS[0], block(value=2), {})
    assert store.get(KEYS[0])[0]["x"][0] == 1


@pytest.mark.parametrize(
    ("arrays", "meta", "message"),
    [
        ({"x": np.array([None])}, {}, "Object arrays"),
        ({}, {"x": {1, 2}}, "meta: .*give plain data"),
        ({}, {"x": float("nan")}, "JSON compliant"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_leaves_nothing(
    store, arrays, meta, message
):
    with pytest.raises(ValueError, match=message):
        store.put(KEYS[0], {"first": np.zeros(3), **arrays}, meta)
    assert kept(store) == set()


@pytest.mark.parametrize("key", ["", "../x", "A" * 40, "0" * 39, f"{KEYS[0]}\n"])
def test_a_key_is_never_a_path(store, key):
    for use in (store.get, store.discard, lambda k: store.put(k, {}, {})):
        with pytest.raises(ValueError, match=r"make it with FeatureStore\.key"):
            use(key)


# ------------------------------------------------------------------------ keys


def shuffled(value):
    """The same plain data with every dict in the opposite order."""
    if isinstance(value, dict):
        return {k: shuffled(v) for k, v in reversed(value.items())}
    return [shuffled(v) for v in value] if isinstance(value, list) else value


@given(
    image=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=4)),
    settings=st.dictionaries(st.text(), PLAIN, max_size=4),
    origin=st.dictionaries(st.text(), PLAIN, max_size=4),
)
def test_a_key_depends_on_the_content_alone(image, settings, origin):
    key = FeatureStore.key(image, settings, origin)
    assert FeatureStore.key(image.copy(), shuffled(settings), shuffled(origin)) == key
    assert FeatureStore.key(np.asfortranarray(image), settings, origin) == key
    other = image.copy()
    other.flat[-1] ^= 1
    changed = [
        (other, settings, origin),
        (image[None], settings, origin),
        (image.view(np.int8), settings, origin),
        (image, {**settings, "new": 0}, origin),
        (image, settings, {**origin, "new": 0}),
    ]
    keys = {
        FeatureStore.key(i, s, o)
        for i, s, o in changed
        if "new" not in settings and "new" not in origin
    }
    assert key not in keys


def test_equal_bytes_in_another_shape_have_another_key():
    image = np.zeros((2, 6, 3), np.uint8)
    keys = {FeatureStore.key(image.reshape(s), {}, {}) for s in [(2, 6, 3), (6, 2, 3)]}
    assert len(keys) == 2


def test_settings_and_origin_do_not_mix():
    image = np.zeros((1, 1, 3), np.uint8)
    assert FeatureStore.key(image, {"a": 1}, {}) != FeatureStore.key(
        image, {}, {"a": 1}
    )


def test_a_new_format_has_new_keys(monkeypatch):
    image = np.zeros((1, 1, 3), np.uint8)
    old = FeatureStore.key(image, {}, {})
    monkeypatch.setattr("napari_s2clip.features.store.FORMAT", 10_000)
    assert FeatureStore.key(image, {}, {}) != old


def test_a_key_is_the_same_in_every_process():
    # Python's own hash is not.
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    expected = FeatureStore.key(image, {"b": 1, "a": [2]}, {"x": "ü"})
    code = (
        "import numpy as np\n"
        "from napari_s2clip.features.store import FeatureStore\n"
        "print(FeatureStore.key(np.arange(12, dtype=np.uint8).reshape(2, 2, 3),"
        " {'a': [2], 'b': 1}, {'x': '\\u00fc'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == expected


@pytest.mark.parametrize(
    ("image", "settings", "message"),
    [
        (np.array([None]), {}, "image holds Python objects"),
        (np.zeros(3), {"x": object()}, "settings, origin: .*plain data"),
        (np.zeros(3), {"x": float("inf")}, "settings, origin: .*plain data"),
    ],
)
def test_keys_of_other_things_are_refused(image, settings, message):
    with pytest.raises(ValueError, match=message):
        FeatureStore.key(image, settings, {})


# ---------------------------------------------------------------- limit, room


def test_the_least_recently_used_entries_leave_first(tmp_path):
    store = FeatureStore(tmp_path, limit=3_100_000)
    for key, seconds in ((KEYS[0], 300), (KEYS[1], 100), (KEYS[2], 200)):
        put_at(store, key, seconds)
    store.put(KEYS[3], block(), {})
    assert kept(store) == {KEYS[0], KEYS[2], KEYS[3]}
    assert store.get(KEYS[2]) is not None  # is the youngest but one now
    store.put(KEYS[4], block(), {})
    assert kept(store) == {KEYS[2], KEYS[3], KEYS[4]}


def test_a_large_entry_makes_room_for_itself_and_no_more(tmp_path):
    store = FeatureStore(tmp_path, limit=4_100_000)
    for number in range(4):
        put_at(store, KEYS[number], 100 + number)
    put_at(store, KEYS[9], 200, megabytes=3)
    assert kept(store) == {KEYS[3], KEYS[9]}


def test_the_entries_never_exceed_the_limit(tmp_path):
    store = FeatureStore(tmp_path, limit=2_500_000)
    for key in KEYS[:6]:
        store.put(key, block(), {})
        assert store.usage()[1] <= store.limit
    assert store.usage()[0] == 2


@pytest.mark.parametrize("limit", [0, 999_999, 1_000_010])
def test_an_entry_above_the_limit_is_not_kept(tmp_path, caplog, limit):
    # The last one has room for the numbers but not for what is written around them.
    store = FeatureStore(tmp_path, limit)
    assert store.put(KEYS[0], block(), {}) is False
    assert kept(store) == set()
    (record,) = caplog.records
    assert "are not kept: the limit is" in record.getMessage()
    assert LIMIT_VARIABLE in record.getMessage()


def test_an_entry_above_the_limit_drives_no_other_out(tmp_path):
    store = FeatureStore(tmp_path, limit=1_500_000)
    store.put(KEYS[0], block(), {})
    assert not store.put(KEYS[1], block(2), {})
    assert kept(store) == {KEYS[0]}


def test_entries_in_use_elsewhere_are_skipped(tmp_path, monkeypatch):
    # As on Windows, where a folder with an open file cannot be renamed.
    store = FeatureStore(tmp_path, limit=3_100_000)
    for number in range(3):
        put_at(store, KEYS[number], 100 + number)
    rename = Path.rename

    def refuse(self, target):
        if self.name == KEYS[0]:
            raise PermissionError(13, "in use", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    assert store.put(KEYS[3], block(), {})
    assert kept(store) == {KEYS[0], KEYS[2], KEYS[3]}
    assert store.get(KEYS[0]) is not None
    size = store.usage()[1]
    assert 0 < store.clear() < size
    assert kept(store) == {KEYS[0]}


def test_the_default_folder_and_limit(monkeypatch, tmp_path):
    monkeypatch.setenv("NAPARI_S2CLIP_CACHE", str(tmp_path))
    monkeypatch.delenv(LIMIT_VARIABLE, raising=False)
    store = FeatureStore()
    assert store.folder == tmp_path / "features"
    assert store.limit == 10 * 10**9
    monkeypatch.setenv(LIMIT_VARIABLE, "5 MB")
    assert FeatureStore().limit == 5_000_000
    assert FeatureStore(limit=7).limit == 7
    monkeypatch.setenv(LIMIT_VARIABLE, "")
    assert FeatureStore().limit == 10 * 10**9


def test_a_wrong_limit_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv(LIMIT_VARIABLE, "much")
    with pytest.raises(ValueError, match=f"^{LIMIT_VARIABLE} is 'much'; write .*5 GB"):
        FeatureStore(tmp_path)
    with pytest.raises(ValueError, match=r"^limit is -1; give bytes"):
        FeatureStore(tmp_path, limit=-1)


def test_usage_and_clear_count_the_same_bytes(store):
    for key in KEYS[:3]:
        store.put(key, block(), {"x": "y"})
    entries, size = store.usage()
    files = [p for p in store.folder.rglob("*") if p.is_file()]
    assert entries == 3
    assert size == sum(path.stat().st_size for path in files) > 3_000_000
    assert store.clear() == size
    assert store.usage() == (0, 0)


def test_what_others_put_into_the_folder_stays(store):
    store.put(KEYS[0], block(), {})
    (store.folder / "notes").mkdir()
    (store.folder / "notes" / "a.txt").write_text("mine", encoding="utf-8")
    (store.folder / KEYS[1]).write_text("a file, no folder", encoding="utf-8")
    store.clear()
    assert kept(store) == {"notes", KEYS[1]}


# ------------------------------------------------------------ never half a thing


@pytest.mark.parametrize("number", [1, 2])
def test_a_failure_between_files_leaves_nothing(store, monkeypatch, number):
    write, calls = np.lib.format.write_array, []

    def fail(*arguments, **options):
        calls.append(1)
        if len(calls) == number:
            raise OSError(ENOSPC, "No space left on device")
        write(*arguments, **options)

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    with pytest.raises(OSError, match="No space left"):
        store.put(KEYS[0], {"a": np.zeros(3), "b": np.zeros(3)}, {})
    assert kept(store) == set()
    assert store.get(KEYS[0]) is None


def test_nobody_sees_an_entry_before_it_is_complete(store, monkeypatch):
    seen = []
    checksum = entry_module._checksum

    def look(path):
        seen.append((FeatureStore(store.folder).get(KEYS[0]), store.usage()))
        return checksum(path)

    monkeypatch.setattr(entry_module, "_checksum", look)
    store.put(KEYS[0], {"a": np.zeros(3), "b": np.zeros(3)}, {})
    assert seen == [(None, (0, 0))] * 2
    monkeypatch.setattr(entry_module, "_checksum", checksum)
    assert store.get(KEYS[0]) is not None


def die_while_writing(store: FeatureStore) -> Path:
    """What a process leaves that ends in the middle of a put, without any cleaning."""
    code = (
        "import os, sys, numpy as np\n"
        "from napari_s2clip.features import entry, store\n"
        "entry.touch = entry._checksum = lambda path: os._exit(3)\n"
        "store.FeatureStore(sys.argv[1]).put(sys.argv[2], {'a': np.zeros(9)}, {})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(store.folder), KEYS[0]], check=False
    )
    assert done.returncode == 3
    (left,) = store.folder.iterdir()
    return left


def test_what_a_dead_writer_leaves_is_no_entry_and_goes_later(store):
    left = die_while_writing(store)
    assert store.get(KEYS[0]) is None
    assert store.usage() == (0, 0)
    store.put(KEYS[1], block(), {})
    assert left.is_dir()  # its writer may be alive
    old = time.time() - 2 * 3600
    os.utime(left, (old, old))
    store.put(KEYS[2], block(), {})
    assert kept(store) == {KEYS[1], KEYS[2]}


def test_clear_takes_what_a_dead_writer_leaves(store):
    die_while_writing(store)
    assert store.clear() > 0
    assert kept(store) == set()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("1.npy", cut),
        ("1.npy", flip),
        ("0.npy", Path.unlink),
        ("0.npy", lambda path: path.write_bytes(b"")),
        ("entry.json", cut),
        ("entry.json", Path.unlink),
        ("entry.json", lambda path: path.write_bytes(b"\xff\xfe")),
        ("entry.json", lambda path: path.write_text("[]")),
        ("entry.json", lambda path: path.write_text('{"arrays": {}}')),
        ("entry.json", lambda path: path.write_text('{"arrays": {"x": 1}, "meta":{}}')),
    ],
)
def test_a_damaged_entry_is_removed_and_counts_as_none(store, caplog, name, damage):
    arrays = {"a": np.arange(50), "b": np.arange(60)}
    store.put(KEYS[0], arrays, {})
    damage(store.folder / KEYS[0] / name)
    assert store.get(KEYS[0]) is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"{KEYS[0]} is damaged" in record.getMessage()
    assert kept(store) == set()
    store.put(KEYS[0], arrays, {})
    assert store.get(KEYS[0]) is not None


def test_a_damaged_entry_is_not_mapped(store, monkeypatch):
    # Windows would not let it go.
    store.put(KEYS[0], {"a": np.arange(50), "b": np.arange(60)}, {})
    cut(store.folder / KEYS[0] / "1.npy")
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("it is mapped"))
    assert store.get(KEYS[0]) is None


def test_an_entry_never_reaches_outside_its_folder(store, tmp_path):
    store.put(KEYS[0], {"a": np.arange(5)}, {})
    np.save(tmp_path / "secret.npy", np.arange(9))
    index = store.folder / KEYS[0] / "entry.json"
    about = json.loads(index.read_text(encoding="utf-8"))
    about["arrays"]["a"] = {
        "file": "../../secret.npy",
        "crc32": entry_module._checksum(tmp_path / "secret.npy"),
    }
    index.write_text(json.dumps(about), encoding="utf-8")
    assert store.get(KEYS[0]) is None


def test_an_entry_that_was_replaced_while_it_was_read_is_not_damaged(
    store, monkeypatch, caplog
):
    store.put(KEYS[0], block(), {})
    read = entry_module.read_entry

    def read_late(folder):
        monkeypatch.undo()
        other = FeatureStore(store.folder)
        assert other.discard(KEYS[0])
        with pytest.raises(FileNotFoundError) as error:
            read(folder)
        other.put(KEYS[0], block(), {})
        raise error.value

    monkeypatch.setattr("napari_s2clip.features.store.read_entry", read_late)
    assert store.get(KEYS[0]) is not None
    assert not caplog.records


def test_a_store_that_may_only_be_read_gives_its_entries(store, monkeypatch):
    store.put(KEYS[0], block(), {})

    def refuse(path, *_):
        raise PermissionError(30, "Read-only file system", str(path))

    monkeypatch.setattr(os, "utime", refuse)
    assert store.get(KEYS[0]) is not None


def test_a_folder_that_cannot_be_made_is_an_os_error(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    store = FeatureStore(tmp_path / "file" / "features")
    with pytest.raises(OSError, match="file"):
        store.put(KEYS[0], block(), {})


def test_the_loser_of_a_race_finds_the_entry_of_the_other(store, monkeypatch):
    write = entry_module.write_entry

    def write_late(folder, arrays, meta):
        write(folder, arrays, meta)
        monkeypatch.undo()
        FeatureStore(store.folder).put(KEYS[0], block(value=1), {})

    monkeypatch.setattr("napari_s2clip.features.store.write_entry", write_late)
    assert store.put(KEYS[0], block(value=2), {})
    assert store.get(KEYS[0])[0]["x"][0] == 1
    assert kept(store) == {KEYS[0]}


def test_a_rename_that_fails_for_another_reason_is_an_error(store, monkeypatch):
    def refuse(self, target):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PermissionError):
        store.put(KEYS[0], block(), {})
    assert kept(store) == set()


def test_an_entry_that_was_there_and_is_gone_is_no_error(store, monkeypatch):
    rename = Path.rename

    def late(self, target):
        if self.name.startswith(".new"):
            raise OSError(ENOTEMPTY, "Directory not empty")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", late)
    assert store.put(KEYS[0], {"a": np.zeros(3)}, {})
    assert not list(store.folder.glob(".new*"))


def test_processes_may_put_the_same_keys_while_another_reads(store):
    # The limit makes them evict each other's entries, too.
    code = (
        "import sys, numpy as np\n"
        "from napari_s2clip.features.store import FeatureStore\n"
        "store = FeatureStore(sys.argv[1], limit=25 * 20_000)\n"
        "for round in range(3):\n"
        "    for i in range(40):\n"
        "        array = np.full(5000, i, np.uint32)\n"
        "        store.put(f'{i:040x}', {'a': array, 'b': array + 1}, {'i': i})\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(store.folder)])
        for _ in range(2)
    ]
    seen = 0
    while any(writer.poll() is None for writer in writers):
        for number, key in enumerate(KEYS[:40]):
            found = store.get(key)
            if found is None:
                continue
            seen += 1
            arrays, meta = found
            assert meta == {"i": number}
            assert (arrays["a"] == number).all()
            assert (arrays["b"] == number + 1).all()
            del found, arrays
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen
    assert all(len(name) == 40 for name in kept(store))
    assert store.usage()[0] > 0
