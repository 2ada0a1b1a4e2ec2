"""Datasets that are looked at: names without pixels, and single images."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_s2clip.datasets import FORMATS, DatasetError, DatasetWriter, Format
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
