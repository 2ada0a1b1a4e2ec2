"""Datasets that are looked at: names without pixels, and single images."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_s2clip.datasets import FORMATS, DatasetError, DatasetWriter, Format, Item
from napari_s2clip.datasets.listing import look

from .scenes import CLASSES, scene

PIXELS = {".png", ".jpg", ".tif", ".txt"}


@pytest.fixture(params=FORMATS)
def form(request: pytest.FixtureRequest) -> Format:
    return FORMATS[request.param]()


@pytest.fixture(params=[True, False], ids=["ours", "of others"])
def folder(form: Format, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Four images, with what we know of them or without."""
    folder = tmp_path / "set"
    writer = DatasetWriter(folder, form, CLASSES, val=0.5)
    for number in range(4):
        writer.add(scene(number))
    writer.finish()
    if not request.param:
        shutil.rmtree(folder / ".s2clip")
    return folder


def test_names_are_those_of_the_images(form: Format, folder: Path) -> None:
    names = [item.name for item in form.read(folder)]
    assert [entry.name for entry in form.entries(folder)] == names
    assert sorted(look(folder).names()) == sorted(names)
    assert len(set(names)) == 4


def test_no_pixel_is_read_for_the_names(form: Format, folder: Path) -> None:
    names = [entry.name for entry in form.entries(folder)]
    for path in folder.rglob("*"):
        if path.is_file() and _is_of_image(path.relative_to(folder)):
            path.write_bytes(b"")
    assert [entry.name for entry in form.entries(folder)] == names


def test_one_image_is_read_and_no_other(form: Format, folder: Path) -> None:
    items = {item.name: item for item in form.read(folder)}
    last = list(items)[-1]
    for path in folder.rglob("*"):
        inside = path.relative_to(folder)
        if path.is_file() and last not in str(inside) and _is_of_image(inside):
            path.write_bytes(b"damaged")
    (entry,) = look(folder).pick([last])
    assert entry.name == last
    for _ in range(2):  # as often as one likes
        np.testing.assert_array_equal(entry.read().labels, items[last].labels)


def _is_of_image(inside: Path) -> bool:
    """Whether it holds pixels or outlines; those of zarr lie in folders ``c``."""
    lists = {"labelmap.txt", "train.txt", "val.txt"}
    return "c" in inside.parts or (inside.suffix in PIXELS and inside.name not in lists)


def test_images_that_are_not_there_are_named(folder: Path) -> None:
    listing = look(folder)
    found: list[Any] = []
    with pytest.raises(DatasetError, match=r"set.*: it has no image 'nobody'"):
        found.extend(listing.pick(["nobody"]))
    assert list(listing.pick([])) == found == []


@pytest.mark.parametrize("name", ["png", "tiff", "voc", "yolo", "ome-zarr"])
def test_two_files_of_one_name_are_two_images(name: str, tmp_path: Path) -> None:
    """As in folders of others, where train and val count from 1."""
    form = FORMATS[name]()
    folder = tmp_path / "set"
    writer = DatasetWriter(folder, form, CLASSES)
    writer.add(replace(scene(0), name="x", split="train"))
    writer.add(replace(scene(1), name="y", split="val"))
    writer.finish()
    shutil.rmtree(folder / ".s2clip")
    paths = sorted(folder.rglob("y.*"), key=lambda path: len(path.parts))
    if name == "voc":  # it has no folders by part
        for path in paths:
            (path.parent / "deep").mkdir()
            path.rename(path.parent / "deep" / f"x{path.suffix}")
    else:
        for path in paths:
            path.rename(path.with_name(path.name.replace("y.", "x.", 1)))
    items = {item.name: item for item in form.read(folder)}
    assert [*items] == [entry.name for entry in form.entries(folder)]
    first, second = items.values()
    assert first.name == "x"
    assert second.name in {"val_x", "labels_val_x", "x_2"}
    expected = [scene(0).labels, scene(1).labels]
    if name == "voc":  # folders come first
        expected.reverse()
    np.testing.assert_array_equal(first.labels, expected[0])
    np.testing.assert_array_equal(second.labels, expected[1])
    (entry,) = look(folder).pick([second.name])
    np.testing.assert_array_equal(entry.read().labels, expected[1])


def test_a_damaged_row_is_one_image(tmp_path: Path) -> None:
    form = FORMATS["hf"]()
    writer = DatasetWriter(tmp_path, form, CLASSES)
    for number in range(2):
        writer.add(scene(number))
    writer.finish()
    (rows,) = tmp_path.rglob("metadata.jsonl")
    rows.write_text(rows.read_text(encoding="utf-8") + '{"file_name": ', "utf-8")
    *others, odd = form.entries(tmp_path)
    assert [entry.read().name for entry in others] == [e.name for e in others]
    assert len(others) == 2
    assert odd.name == "metadata.jsonl line 3"
    with pytest.raises(DatasetError, match="line 3: it is no JSON"):
        odd.read()


def test_a_damaged_strip_of_a_tiff_is_one_sentence(tmp_path: Path) -> None:
    form = FORMATS["tiff"]()
    writer = DatasetWriter(tmp_path, form, CLASSES)
    noise = np.random.default_rng(0).integers(0, 2, (64, 64)) * CLASSES.ids[0]
    writer.add(Item("a", noise, CLASSES))
    writer.finish()
    (path,) = tmp_path.rglob("labels/*/*.tif")
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        start = tiff.pages[0].dataoffsets[0]
    data[start + 20 : start + 60] = bytes(40)
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"^[^\n]*cannot be read[^\n]*$"):
        list(form.read(tmp_path))
