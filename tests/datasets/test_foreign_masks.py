"""What OpenCV makes of our YOLO rows, and torchvision and Pillow of our VOC maps."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from napari_s2clip.classes import ClassSet
from napari_s2clip.datasets import DatasetWriter, Item, Voc, Yolo
from napari_s2clip.datasets.instances import each

from .scenes import CLASSES, MANY, scene, scenes


def export(folder: Path, form: Voc | Yolo, items: list[Item]) -> None:
    writer = DatasetWriter(folder, form, items[0].classes)
    for item in items:
        writer.add(item)
    writer.finish()


def rows(folder: Path, item: Item) -> list[tuple[int, np.ndarray]]:
    """Class and mask of each row, by the convention of Ultralytics.

    Fractions times the size of the image, cut off to whole numbers, `cv2.fillPoly`.
    """
    height, width = item.shape
    found = []
    file = folder / "labels" / "train" / f"{item.name}.txt"
    for line in file.read_text(encoding="utf-8").splitlines():
        number, *points = line.split()
        polygon = np.array(points, np.float32).reshape(-1, 2)
        assert len(polygon) >= 3
        assert ((polygon >= 0) & (polygon <= 1)).all()
        mask = np.zeros((height, width), np.uint8)
        corners = (polygon * np.array([width, height], np.float32)).astype(np.int32)
        cv2.fillPoly(mask, [corners], color=1)
        found.append((int(number), mask.astype(bool)))
    return found


@pytest.mark.parametrize("many", [False, True])
def test_opencv_fills_every_pixel_of_large_maps(many: bool, tmp_path: Path) -> None:
    given = [scene(1, MANY)] if many else scenes()
    export(tmp_path, Yolo(), given)
    for item in given:
        seen = np.zeros(item.shape, int)
        for number, mask in rows(tmp_path, item):
            assert not seen[mask].any()
            seen[mask] = item.classes.ids[number]
        np.testing.assert_array_equal(seen, item.labels)


def test_with_bridges_a_row_is_an_object_and_no_pixel_of_it_is_lost(
    tmp_path: Path,
) -> None:
    (item,) = given = [scene(3)]
    export(tmp_path, Yolo("bridges"), given)
    things = list(each(*item.objects()))
    found = rows(tmp_path, item)
    assert [n for n, _ in found] == [CLASSES.ids.index(t.class_id) for t in things]
    for thing, (_, mask) in zip(things, found, strict=True):
        x, y, width, height = thing.bbox
        window = mask[y : y + height, x : x + width]
        assert mask.sum() == window.sum()
        assert window[thing.mask].all()


@pytest.mark.parametrize("count", [3, 254])
def test_torchvision_reads_the_maps_of_voc(count: int, tmp_path: Path) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    classes = CLASSES if count == 3 else ClassSet([f"class {n}" for n in range(count)])
    given = [scene(seed, classes) for seed in range(4)]
    folder = tmp_path / "VOCdevkit" / "VOC2012"
    export(folder, Voc(), given)
    found = datasets.VOCSegmentation(tmp_path, year="2012", image_set="train")
    assert len(found) == len(given)
    for item, (image, target) in zip(given, found, strict=True):
        assert image.size == target.size == item.shape[::-1]
        assert target.mode == "P"
        pixels = np.asarray(target)
        np.testing.assert_array_equal(pixels == 255, item.ignore)
        of = np.array([0, *classes.ids])
        np.testing.assert_array_equal(of[np.where(item.ignore, 0, pixels)], item.labels)
        # Nobody takes noise as noise from a JPEG, but it is the same picture.
        error = np.abs(np.asarray(image).astype(int) - item.image).mean()
        assert error < 8
        objects = np.asarray(
            Image.open(folder / "SegmentationObject" / f"{item.name}.png")
        )
        instances, known = item.objects()
        numbers = np.searchsorted([0, *sorted(known)], instances)
        void = 255 if len(known) < 255 else 65535
        np.testing.assert_array_equal(objects[~item.ignore], numbers[~item.ignore])
        assert (objects[item.ignore] == void).all()
