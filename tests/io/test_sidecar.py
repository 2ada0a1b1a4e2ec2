"""Annotations in a folder beside the image."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_s2clip import ClassSet
from napari_s2clip.classes import ClassEntry
from napari_s2clip.io import sidecar, sidecar_folder
from napari_s2clip.io.annotations import MAPS, Annotations, LabelsCopy
from napari_s2clip.io.find_sidecar import find_sidecar
from napari_s2clip.io.image_record import describe_image
from napari_s2clip.io.sidecar import (
    SidecarChanged,
    SidecarError,
    load_annotations,
    read_header,
    save_annotations,
    sidecar_folders,
)

IMAGE = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
RECORD = describe_image(IMAGE, name="photo")


def maps(value=1):
    return {
        name: np.full((6, 8), value, np.uint16 if name[0] == "c" else np.int32)
        for name in MAPS
    }


def make(value=1, **fields):
    return Annotations(
        **{
            "classes": ClassSet(["cat", "dog"]),
            "maps": maps(value),
            "image": RECORD,
            **fields,
        }
    )


def same(one, other):
    return one.dtype == other.dtype and np.array_equal(one[...], other[...])


def assert_equal(found, wanted):
    assert found.classes == wanted.classes
    assert found.maps.keys() == wanted.maps.keys()
    for name, array in wanted.maps.items():
        assert same(found.maps[name], array)
    assert found.written.keys() == wanted.written.keys()
    for name, array in wanted.written.items():
        assert same(found.written[name], array)
    for a, b in zip(found.copies, wanted.copies, strict=True):
        assert (a.name, a.placement) == (b.name, b.placement)
        assert same(a.data, b.data)
    if wanted.region_table is None:
        assert found.region_table is None
    else:
        pd.testing.assert_frame_equal(found.region_table, wanted.region_table)
    for name in (
        *("names", "edited", "placement", "position", "level", "settings"),
        *("provenance", "review", "image", "details"),
    ):
        assert getattr(found, name) == getattr(wanted, name), name


def test_what_is_saved_is_read_again(tmp_path, make_result):
    result = make_result((6, 8), notes=["ein Vermerk – mit Strich"])
    table = result.region_table.assign(plane=0, position=[(0, 2), (1, 2)])
    wanted = Annotations(
        classes=result.classes,
        maps={
            "coarse": result.coarse,
            "regions": result.regions,
            "refined": result.refined,
            "owners": result.regions,
        },
        region_table=table,
        names={"coarse": "photo coarse", "refined": "../../mine"},
        edited=("refined",),
        written={"refined": result.coarse},
        details={"refined": {"runs": [{"window": [0, 0, 6, 8]}]}},
        copies=(
            LabelsCopy("photo refined copy / 猫", np.full((6, 8), -3, np.int8)),
            LabelsCopy("finer", np.ones((2, 3), np.uint64), {"scale": [0.5, 0.1]}),
        ),
        placement={"scale": [0.1, 1e-7], "units": ["nm", "nm"]},
        position=(3, 0),
        level=2,
        settings={"method": "naclip", "probability_threshold": 0.1},
        provenance=result.provenance,
        review={"accepted": [1, 2], "rejected": {"3": "too small"}, "note": None},
        image=RECORD,
    )
    folder = tmp_path / "photo.tif.s2clip"
    save_annotations(wanted, folder)
    found = load_annotations(folder)
    assert_equal(found, wanted)
    assert found.software.startswith("napari-s2clip ")
    assert found.saved.tzinfo is not None
    header = read_header(folder)
    assert (header.class_set(), header.image) == (wanted.classes, RECORD)
    # Other programs read the maps.
    (tif,) = folder.glob("maps-*/coarse.tif")
    assert same(tifffile.imread(tif), result.coarse)
    # Changing what was read changes no file.
    found.maps["coarse"][:] = 0
    assert_equal(load_annotations(folder), wanted)


integers = st.sampled_from(
    [np.dtype(t) for t in ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8")]
)
shapes = hnp.array_shapes(min_dims=2, max_dims=4, max_side=5)
words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@st.composite
def annotations(draw):
    shape = draw(shapes)
    kinds = draw(st.sets(st.sampled_from(MAPS)))
    names = draw(st.lists(words, min_size=1, max_size=5, unique_by=str.casefold))
    return Annotations(
        classes=ClassSet([ClassEntry(name) for name in names]),
        maps={k: draw(hnp.arrays(draw(integers), shape)) for k in sorted(kinds)},
        names={k: draw(words) for k in sorted(kinds)},
        edited=tuple(k for k in sorted(kinds) if draw(st.booleans())),
        copies=tuple(
            LabelsCopy(draw(words), draw(hnp.arrays(draw(integers), draw(shapes))))
            for _ in range(draw(st.integers(0, 2)))
        ),
        review=draw(
            st.dictionaries(
                words,
                st.none()
                | st.integers()
                | st.floats(allow_nan=False, allow_infinity=False)
                | st.lists(words | st.booleans()),
            )
        ),
        image=describe_image(np.zeros((5, 5, 5, 5), bool), name=draw(words)),
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(annotations())
def test_anything_survives(tmp_path, wanted):
    folder = tmp_path / "x.s2clip"
    save_annotations(wanted, folder)
    # Keys come back in the order of the stages.
    assert_equal(load_annotations(folder), wanted)
    assert len(list(folder.glob("maps-*"))) == 1


def test_three_hundred_classes(tmp_path):
    classes = ClassSet([f"class {i}" for i in range(300)])
    labels = np.arange(6 * 8 * 3, dtype=np.uint16).reshape(3, 6, 8) * 2
    wanted = make(classes=classes, maps={"refined": labels})
    save_annotations(wanted, tmp_path / "x.s2clip")
    assert_equal(load_annotations(tmp_path / "x.s2clip"), wanted)


def test_arrays_of_zarr_stay_zarr_and_lazy_ones_are_read(tmp_path):
    dask = pytest.importorskip("dask.array")
    zarr = pytest.importorskip("zarr")
    stored = zarr.create_array(
        store=str(tmp_path / "own.zarr"), shape=(2, 6, 8), chunks=(1, 4, 4), dtype="u2"
    )
    stored[1, 2:5, 3] = 7
    lazy = dask.ones((2, 6, 8), chunks=3, dtype=np.int32)
    folder = tmp_path / "x.s2clip"
    save_annotations(make(maps={"coarse": stored, "regions": lazy}), folder)
    assert [p.name for p in sorted(folder.glob("maps-*/*"))] == [
        "coarse.zarr",
        "regions.tif",
    ]
    made = []

    def new_map(shape, dtype):
        made.append((shape, dtype))
        return np.zeros(shape, dtype)

    found = load_annotations(folder, make=new_map)
    assert same(found.maps["coarse"], stored[...])
    assert same(found.maps["regions"], np.asarray(lazy))
    assert made == [((2, 6, 8), np.uint16), ((2, 6, 8), np.int32)]


# --------------------------------------------------------------- replacing


def test_saving_again_replaces_what_was_there_and_nothing_else(tmp_path):
    folder = tmp_path / "x.s2clip"
    first = save_annotations(make(1), folder, replaces="")
    (folder / "my notes.txt").write_text("keep")
    second = save_annotations(make(2), folder, replaces=first)
    assert load_annotations(folder).maps["coarse"].max() == 2
    assert sorted(p.name for p in folder.iterdir() if p.name != ".lock") == [
        "annotations.json",
        second,
        "my notes.txt",
    ]


def test_what_the_caller_has_not_read_is_not_replaced(tmp_path):
    folder = tmp_path / "x.s2clip"
    first = save_annotations(make(1), folder)
    save_annotations(make(2), folder)  # another window
    for known in ("", first):
        with pytest.raises(SidecarChanged, match="that this window has not read"):
            save_annotations(make(3), folder, replaces=known)
    assert load_annotations(folder).maps["coarse"].max() == 2
    with pytest.raises(SidecarChanged, match="are gone"):
        save_annotations(make(3), tmp_path / "y.s2clip", replaces=first)
    assert not (tmp_path / "y.s2clip").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    folder = tmp_path / "x.s2clip"
    folder.mkdir()
    (folder / "thesis.txt").write_text("keep")
    with pytest.raises(SidecarError, match=r"other files \(thesis.txt\)") as caught:
        save_annotations(make(), folder)
    assert caught.value.elsewhere
    assert [p.name for p in folder.iterdir()] == ["thesis.txt"]
    (tmp_path / "y.s2clip").write_text("a file")
    with pytest.raises(SidecarError, match=r"y\.s2clip: the annotations were not"):
        save_annotations(make(), tmp_path / "y.s2clip")


def edit(where, **fields):
    path = where / "annotations.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    for key, value in fields.items():
        *steps, last = key.split("__")
        at = content
        for step in steps:
            at = at[int(step) if step.isdigit() else step]
        at[last] = value
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def folder(tmp_path, make_result):
    """A sidecar with a table and a copy."""
    folder = tmp_path / "x.s2clip"
    table = make_result((6, 8)).region_table
    copy = LabelsCopy("mine", np.ones((6, 8), np.uint8))
    save_annotations(make(region_table=table, copies=(copy,)), folder)
    return folder


@pytest.mark.parametrize(("version", "words"), [(2, "newer than this"), ("x", "not 1")])
def test_another_format_is_neither_read_nor_replaced(folder, version, words):
    edit(folder, format=version)
    for act in (
        read_header,
        load_annotations,
        lambda f: save_annotations(make(), f),
    ):
        with pytest.raises(SidecarError, match=f"format: .* {words}"):
            act(folder)


def test_a_damaged_sidecar_is_not_replaced(folder):
    (folder / "annotations.json").write_text('{"format": 1')
    with pytest.raises(SidecarError, match=r"annotations\.json: it is damaged"):
        save_annotations(make(), folder)


# ---------------------------------------------------- what may come from anywhere


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"folder": "../../other"}, "folder: "),
        ({"folder": "maps-0123456789ab/../.."}, "folder: "),
        ({"maps__coarse__suffix": "/../../x.tif"}, r"maps\.coarse\.suffix: "),
        ({"maps__../x": {}}, r"maps\.\.\./x"),
        ({"maps__coarse__shape": [6, -8]}, r"maps\.coarse\.shape\[1\]: "),
        ({"maps__coarse__shape": [6, 8.0]}, r"maps\.coarse\.shape\[1\]: "),
        ({"maps__coarse__shape": [8, 6]}, "maps: their shapes differ"),
        ({"written": {"fine": {}}}, r"written\.fine"),
        ({"maps__coarse__dtype": "object"}, r"maps\.coarse\.dtype: "),
        ({"copies__0__shape": [10**6, 10**6]}, r"copies\[0\]\.shape: .* 144 pixels"),
        ({"copies__0__name": 7}, r"copies\[0\]\.name: "),
        ({"copies": [{}] * 2000}, "copies: "),
        ({"regions": -1}, "regions: "),
        ({"image__shape": []}, "image"),
        ({"review": [1]}, "review: "),
        ({"saved": "yesterday"}, "saved: "),
        ({"classes__classes": []}, "classes is empty"),
        ({"classes": {}}, "classes: they are missing"),
        ({"maps__coarse__dtype": "uint8"}, r"coarse\.tif: it holds uint16, not uint8"),
        ({"regions": 3}, r"regions\.json: region: it has not 3 values"),
    ],
)
def test_a_description_that_is_wrong_is_refused(folder, fields, words):
    edit(folder, **fields)
    with pytest.raises(SidecarError, match=words) as caught:
        load_annotations(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"[" * 10**6, b"[]", b"\xff\xfe", b'{"format": true}', b"7"]
)
def test_a_description_that_is_none_is_refused(folder, content):
    (folder / "annotations.json").write_bytes(content)
    with pytest.raises(SidecarError, match=r"it is damaged|format: "):
        load_annotations(folder)


def test_huge_files_are_not_read(folder, monkeypatch):
    monkeypatch.setattr("napari_s2clip.io.sidecar_format.MAX_TABLE", 10)
    with pytest.raises(SidecarError, match=r"regions\.json: it is larger than 10"):
        load_annotations(folder)
    monkeypatch.setattr(sidecar_folder, "MAX_HEADER", 10)
    with pytest.raises(SidecarError, match=r"annotations\.json: it is larger than 10"):
        load_annotations(folder)


def test_the_image_at_hand_bounds_what_is_read(folder):
    with pytest.raises(SidecarError, match=r"maps\.coarse\.shape: \[6, 8\] is more"):
        load_annotations(folder, pixels=47)
    load_annotations(folder, pixels=48)


def column(name, **change):
    def damage(path):
        content = json.loads(path.read_text())
        content[name].update(change)
        path.write_text(json.dumps(content))

    return damage


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda p: p.write_text("{"), "it is damaged"),
        (lambda p: p.write_text("[]"), "it holds no columns"),
        (lambda p: p.write_text("{}"), "region: the column is missing"),
        (column("area", values=["1", "2"]), "area: '1' is no int64"),
        (column("area", values=[1e3, 2]), "area: 1000.0 is no int64"),
        (column("area", values=[10**30, 2]), "is no int64"),
        (column("refined", values=[1, 0]), "refined: 1 is no bool"),
        (column("class_name", values=[{}, []]), "class_name: {} is no object"),
        (column("area", dtype="datetime64[ns]"), "area: it holds 'datetime64"),
    ],
)
def test_a_table_that_is_none_is_refused(folder, damage, words):
    (path,) = folder.glob("maps-*/regions.json")
    damage(path)
    with pytest.raises(SidecarError) as caught:
        load_annotations(folder)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def bomb(path):
    """A strip that unpacks to 100 MB where the plane has 96 bytes."""
    tifffile.imwrite(
        path,
        iter([zlib.compress(bytes(10**8), 9)]),
        shape=(6, 8),
        dtype=np.uint16,
        compression="zlib",
        photometric="minisblack",
        rowsperstrip=6,
    )


def write(array, **options):
    return lambda path: tifffile.imwrite(
        path, array, **{"photometric": "minisblack", "compression": "zlib", **options}
    )


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (bomb, "a strip is too long"),
        (lambda p: p.write_bytes(p.read_bytes()[:-20]), "damaged"),
        (lambda p: p.write_bytes(b"II*\0"), "damaged"),
        (lambda p: p.write_bytes(b"hello"), "damaged"),
        (write(np.zeros((6, 9), np.uint16)), "6 × 9 px, not 6 × 8"),
        (write(np.zeros((2, 6, 8), np.uint16)), "more planes"),
        (write(np.zeros((6, 8), np.float16)), "it holds float16, not uint16"),
        (write(np.zeros((6, 8), np.uint16), compression=None), "does not write"),
        (write(np.zeros((6, 8), np.uint16), tile=(16, 16)), "does not write"),
        (Path.unlink, "the file is missing"),
    ],
)
def test_a_map_that_is_none_is_refused(folder, damage, words):
    (path,) = folder.glob("maps-*/coarse.tif")
    damage(path)
    with pytest.raises(SidecarError) as caught:
        load_annotations(folder)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_too_few_planes_are_noticed(tmp_path):
    folder = tmp_path / "x.s2clip"
    save_annotations(make(maps={"coarse": np.zeros((2, 3, 4), np.uint16)}), folder)
    (path,) = folder.glob("maps-*/coarse.tif")
    write(np.zeros((3, 4), np.uint16))(path)
    with pytest.raises(SidecarError, match="fewer planes"):
        load_annotations(folder)


def test_a_zarr_of_another_shape_is_refused(tmp_path):
    zarr = pytest.importorskip("zarr")
    folder = tmp_path / "x.s2clip"
    stored = zarr.create_array(
        store=str(tmp_path / "z"), shape=(6, 8), chunks=(6, 8), dtype="u2"
    )
    save_annotations(make(maps={"coarse": stored}), folder)
    (path,) = folder.glob("maps-*/coarse.zarr")
    zarr.create_array(
        store=str(path), shape=(6, 9), chunks=(6, 9), dtype="u2", overwrite=True
    )
    with pytest.raises(SidecarError, match=r"shape \(6, 9\), not uint16 of \(6, 8\)"):
        load_annotations(folder)
    (path / "zarr.json").write_text("{}")
    with pytest.raises(SidecarError, match=r"coarse\.zarr: "):
        load_annotations(folder)


# ------------------------------------------------------------- what cannot be saved


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"image": None}, "image: it is missing"),
        ({"review": {1: 2}}, "review: the key 1 is no text"),
        ({"review": {"a": [{"b": {3}}]}}, r"review\.a\[0\]\.b: \{3\} is no plain data"),
        ({"settings": {"x": float("nan")}}, r"settings\.x: nan"),
        ({"names": {"coarse": "\ud800"}}, r"names\.coarse: "),
        ({"level": -1}, "level: "),
        ({"region_table": pd.DataFrame({"region": [1]})}, "column is missing"),
    ],
)
def test_annotations_that_cannot_be_written_are_refused_before_anything_is(
    tmp_path, fields, words
):
    with pytest.raises(ValueError, match=words):
        save_annotations(make(**fields), tmp_path / "x.s2clip")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"maps": {"fine": np.zeros((2, 2), int)}}, r"maps\.fine: choose one of"),
        ({"maps": {"coarse": np.zeros((2, 2))}}, r"maps\.coarse: give whole numbers"),
        ({"maps": {"coarse": np.zeros(3, int)}}, "is no image's"),
        ({"maps": {"coarse": np.zeros((0, 3), int)}}, "is no image's"),
        (
            {"maps": {**maps(), "coarse": np.zeros((2, 2), int)}},
            "maps: their shapes differ",
        ),
        ({"copies": (LabelsCopy("x", np.zeros((2, 2), bool)),)}, r"copies\[0\] \('x'"),
        ({"maps": {}, "edited": ("coarse",)}, "there is no map 'coarse'"),
    ],
)
def test_annotations_that_contradict_themselves(fields, words):
    with pytest.raises(ValueError, match=words):
        make(**fields)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device"), "the disk is full"),
        (PermissionError(13, "Permission denied"), "it may not be written to"),
        (OSError(5, "Input/output error"), "Input/output error"),
    ],
)
def test_a_disk_that_fails_leaves_what_was_there(tmp_path, monkeypatch, error, words):
    folder = tmp_path / "x.s2clip"
    known = save_annotations(make(1), folder)

    def fail(path, array):
        if path.stem == "refined":
            raise error
        path.write_bytes(b"half")

    monkeypatch.setattr(sidecar, "write_labels", fail)
    with pytest.raises(SidecarError, match=words) as caught:
        save_annotations(make(2), folder, replaces=known)
    assert caught.value.elsewhere
    assert "\n" not in str(caught.value)
    assert load_annotations(folder).maps["coarse"].max() == 1
    assert [p.name for p in folder.glob("maps-*")] == [known]
    with pytest.raises(SidecarError):
        save_annotations(make(2), tmp_path / "new.s2clip")
    assert not (tmp_path / "new.s2clip").exists()


def test_a_name_that_is_too_long(tmp_path):
    image = tmp_path / f"{'n' * 250}.tif"
    beside, elsewhere = sidecar_folders(image)
    with pytest.raises(SidecarError, match="its name is too long here"):
        save_annotations(make(), beside)
    save_annotations(make(), elsewhere)
    assert read_header(beside) is None
    assert read_header(elsewhere) is not None


def test_a_folder_that_another_program_saves_in(folder, monkeypatch):
    monkeypatch.setattr(sidecar_folder, "_PATIENCE", 0.01)
    with (
        sidecar_folder.FileLock(folder / ".lock"),
        pytest.raises(SidecarError, match="another program saves it"),
    ):
        save_annotations(make(), folder)


def test_where_annotations_lie(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_S2CLIP_CONFIG", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    beside, elsewhere = sidecar_folders("a/Bild ä.tif")
    assert beside == tmp_path / "a" / "Bild ä.tif.s2clip"
    assert elsewhere.parent == tmp_path / "config" / "annotations"
    assert elsewhere.name.endswith("-Bild_.tif.s2clip")
    assert sidecar_folders(tmp_path / "b" / "Bild ä.tif")[1] != elsewhere
    (only,) = sidecar_folders("https://host/data/scan.zarr/")
    assert only.name.endswith("-scan.zarr.s2clip")


# ----------------------------------------------------------------------- killing

_WRITER = """
import sys
import numpy as np
import tifffile  # now, not in the first save
from napari_s2clip import ClassSet
from napari_s2clip.io.annotations import Annotations
from napari_s2clip.io.find_sidecar import find_sidecar
from napari_s2clip.io.image_record import describe_image
from napari_s2clip.io.sidecar import save_annotations

record = describe_image(np.zeros((300, 400)), name="x")
print("ready", flush=True)
value = int(sys.argv[2])
while True:
    value += 1
    labels = np.full((300, 400), value, np.uint16)
    save_annotations(
        Annotations(
            ClassSet(["cat"]),
            dict.fromkeys(("coarse", "regions", "refined", "owners"), labels),
            review={"value": value},
            image=record,
        ),
        sys.argv[1],
    )
"""


@pytest.mark.skipif(os.name == "nt", reason="processes are ended in another way")
def test_killing_a_program_that_saves_never_leaves_half(tmp_path):
    folder = tmp_path / "x.s2clip"
    chance, last = random.Random(7), 0
    for _ in range(10):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(folder), str(last)],
            stdout=subprocess.PIPE,
        )
        writer.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.2))
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        if not (folder / "annotations.json").exists():
            continue
        found = load_annotations(folder)
        value = found.review["value"]
        assert value >= last
        last = value
        for labels in found.maps.values():
            assert (labels == value).all()
    assert last > 0
    # What the dead left is gone after the next save.
    name = save_annotations(make(), folder)
    left = {path.name for path in folder.iterdir()}
    assert left == {".lock", "annotations.json", name}


# ----------------------------------------------------------- the image it belongs to


def test_another_image_under_the_same_name_is_noticed(tmp_path):
    path = tmp_path / "photo.tif"
    path.write_bytes(b"1234")
    saved = describe_image(IMAGE, name="photo", path=path)
    assert (saved.file, saved.size, saved.shape) == ("photo.tif", 4, (6, 8, 3))

    def now(image=IMAGE, name="photo"):
        return saved.likeness(describe_image(image, name=name, path=path))

    assert now() == "same"
    # Renamed, or copied to another place: the pixels count.
    os.utime(path, (1, 1))
    assert now(name="other") == "same"
    changed = IMAGE.copy()
    changed[3, 4, 1] += 1
    assert now(changed) == "changed"
    assert now(IMAGE.astype(np.uint16)) == "changed"
    assert now(IMAGE[:, :7]) == "changed"


def test_layers_of_one_file_are_told_apart(tmp_path):
    path = tmp_path / "cells.tif"
    path.write_bytes(b"1234")
    red, green = (
        describe_image(IMAGE[..., i], name=name, path=path)
        for i, name in enumerate(["red", "green"])
    )
    assert red.likeness(green) == "other"
    assert red.likeness(red) == "same"
    os.utime(path, (1, 1))
    later = describe_image(IMAGE[..., 1], name="green", path=path)
    assert red.likeness(later) == "changed"


def test_of_a_large_image_only_samples_are_read(monkeypatch):
    monkeypatch.setattr("napari_s2clip.io.image_record._ALL", 1000)

    class Lazy:
        """Counts the pixels that are read."""

        def __init__(self, data):
            self.data, self.shape, self.dtype = data, data.shape, data.dtype
            self.read = 0

        def __getitem__(self, index):
            block = self.data[index]
            self.read += block.size
            return block

    data = np.zeros((5, 1000, 1200), np.uint16)
    lazy = Lazy(data)
    first = describe_image(lazy, name="x")
    assert 0 < lazy.read <= 16 * 64 * 64 * 5
    other = describe_image(data + 1, name="x")
    assert first.likeness(other) == "changed"
    assert describe_image(data.astype(">u2"), name="x").checksum == first.checksum


def test_an_image_without_a_file():
    record = describe_image(IMAGE, name="array")
    assert (record.file, record.size) == ("", None)
    gone = describe_image(IMAGE, name="array", path="/no/such/file.tif")
    assert (gone.file, gone.size) == ("file.tif", None)
    assert describe_image(IMAGE, name="x", path="s3://b/x.zarr/").file == "x.zarr"


@pytest.fixture
def photo(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_S2CLIP_CONFIG", str(tmp_path / "config"))
    path = tmp_path / "cells.tif"
    path.write_bytes(b"1234")
    return path


def test_layers_of_one_file_find_their_own_sidecars(photo):
    red, green, blue = (
        describe_image(IMAGE[..., i], name=name, path=photo)
        for i, name in enumerate(["red", "green", "blue"])
    )
    for number, record in enumerate((red, green), 1):
        found = find_sidecar(photo, record)
        assert found.header is None
        save_annotations(make(number, image=record), found.folder)
    assert sorted(p.name for p in photo.parent.glob("*.s2clip")) == [
        "cells.tif.2.s2clip",
        "cells.tif.s2clip",
    ]
    for number, record in enumerate((red, green), 1):
        found = find_sidecar(photo, record)
        assert not found.changed
        assert load_annotations(found.folder).maps["coarse"].max() == number
    assert find_sidecar(photo, blue).folder.name == "cells.tif.3.s2clip"


def test_the_newest_of_two_places_counts_unless_it_is_of_another_image(photo):
    record = describe_image(IMAGE, name="cells", path=photo)
    beside, elsewhere = sidecar_folders(photo)
    save_annotations(make(1, image=record), beside)
    save_annotations(make(2, image=record), elsewhere)
    assert find_sidecar(photo, record).folder == elsewhere
    edit(elsewhere, image__checksum="another")
    assert find_sidecar(photo, record).folder == beside
    edit(beside, image__checksum="another")
    found = find_sidecar(photo, record)
    assert (found.folder, found.changed) == (elsewhere, True)


def test_a_damaged_sidecar_is_told_and_left_alone(photo):
    record = describe_image(IMAGE, name="cells", path=photo)
    beside, _ = sidecar_folders(photo)
    save_annotations(make(image=record), beside)
    (beside / "annotations.json").write_text("{")
    found = find_sidecar(photo, record)
    assert found.notes == (f"{beside / 'annotations.json'}: it is damaged",)
    assert (found.folder.name, found.header) == ("cells.tif.2.s2clip", None)
