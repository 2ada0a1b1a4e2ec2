"""Our panoptic files under the rules of COCO's panoptic task, written down anew.

The format page of cocodataset.org asks that every pixel's id is of one segment and the
other way round; Kirillov et al., "Panoptic Segmentation" (2019), eq. 1, gives the
quality.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_s2clip.datasets import DatasetWriter, Item, Panoptic

from .scenes import MANY, scene, scenes


def export(folder: Path, items: list[Item], **options: Any) -> dict[str, Any]:
    writer = DatasetWriter(folder, Panoptic(**options), items[0].classes)
    for item in items:
        writer.add(item)
    writer.finish()
    index = folder / "annotations" / "panoptic_train.json"
    return json.loads(index.read_text(encoding="utf-8"))


def segment_map(folder: Path, file_name: str) -> np.ndarray:
    with Image.open(folder / "annotations" / "panoptic_train" / file_name) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")
        red, green, blue = np.moveaxis(np.asarray(picture).astype(int), -1, 0)
    return red + 256 * green + 65536 * blue


def complaints(folder: Path, data: dict[str, Any]) -> list[str]:
    """What breaks the rules of the format."""
    found = []
    kinds = {kind["id"]: kind for kind in data["categories"]}
    if len(kinds) != len(data["categories"]):
        found.append("category ids")
    found += [
        f"category {kind}"
        for kind in data["categories"]
        if kind["isthing"] not in {0, 1} or len(kind["color"]) != 3
    ]
    images = {image["id"]: image for image in data["images"]}
    if sorted(images) != sorted(a["image_id"] for a in data["annotations"]):
        found.append("image ids")
    for annotation in data["annotations"]:
        image = images[annotation["image_id"]]
        if Path(annotation["file_name"]).stem != Path(image["file_name"]).stem:
            found.append("stems")
        ids = segment_map(folder, annotation["file_name"])
        if ids.shape != (image["height"], image["width"]):
            found.append("size")
        segments = {s["id"]: s for s in annotation["segments_info"]}
        if len(segments) != len(annotation["segments_info"]):
            found.append("segment ids are given twice")
        if set(segments) != set(np.unique(ids[ids > 0]).tolist()):
            found.append("segment ids")
        stuff = []
        for number, segment in segments.items():
            mask = ids == number
            rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
            x, y = columns[0], rows[0]
            box = [x, y, columns[-1] + 1 - x, rows[-1] + 1 - y]
            if segment["area"] != mask.sum() or segment["bbox"] != box:
                found.append(f"area or box of {number}")
            if segment["category_id"] not in kinds:
                found.append(f"category of {number}")
            elif not kinds[segment["category_id"]]["isthing"]:
                stuff.append(segment["category_id"])
                if segment["iscrowd"]:
                    found.append(f"{number} is stuff and a crowd")
        if len(stuff) != len(set(stuff)):
            found.append("stuff in several segments")
    return found


def quality(folder: Path, truth: dict[str, Any], guess: dict[str, Any]) -> float:
    """Panoptic quality, mean over the categories; both use the PNGs of a folder."""
    sums: dict[int, list[float]] = {}
    pairs = zip(truth["annotations"], guess["annotations"], strict=True)
    for real, found in pairs:
        ids = segment_map(folder, real["file_name"])
        other = segment_map(folder, found["file_name"])
        left = {s["id"]: s for s in found["segments_info"]}
        for segment in real["segments_info"]:
            of = sums.setdefault(segment["category_id"], [0.0, 0.0, 0.0])
            mask = ids == segment["id"]
            for number in np.unique(other[mask]).tolist():
                match = left.get(number)
                if not match or match["category_id"] != segment["category_id"]:
                    continue
                # Void pixels count for nobody.
                union = (mask | (other == number)) & ((ids > 0) | mask)
                ratio = (mask & (other == number)).sum() / union.sum()
                if ratio > 0.5 and not segment["iscrowd"]:
                    of[0], of[1] = of[0] + ratio, of[1] + 1
                    del left[number]
                    break
            else:
                of[2] += 0 if segment["iscrowd"] else 0.5
        for segment in left.values():
            mask = other == segment["id"]
            lowest = [s["id"] for s in real["segments_info"] if s["iscrowd"]]
            if np.isin(ids[mask], [0, *lowest]).mean() <= 0.5:
                sums.setdefault(segment["category_id"], [0.0, 0.0, 0.0])[2] += 0.5
    rated = [total / (hits + misses) for total, hits, misses in sums.values() if hits]
    return float(np.mean(rated))


@pytest.mark.parametrize("stuff", [(), ("sky",), ("sky", "große Katze")])
def test_the_rules_of_the_format_are_kept(
    stuff: tuple[str, ...], tmp_path: Path
) -> None:
    given = scenes()
    data = export(tmp_path, given, stuff=stuff)
    assert complaints(tmp_path, data) == []
    assert sum(1 - kind["isthing"] for kind in data["categories"]) == len(stuff)
    assert quality(tmp_path, data, data) == 1
    for item, annotation in zip(given, data["annotations"], strict=True):
        ids = segment_map(tmp_path, annotation["file_name"])
        kinds = {s["id"]: s["category_id"] for s in annotation["segments_info"]}
        of = np.vectorize({0: 0, **kinds}.get)(ids)
        np.testing.assert_array_equal(of, item.labels)


def test_the_rules_are_kept_with_300_classes_and_groups(tmp_path: Path) -> None:
    plain = scene(1, MANY)
    group = {next(iter(plain.instance_classes)): {"crowd": True}}
    item = Item(
        *("a", plain.labels, MANY, plain.image),
        *(plain.instances, plain.instance_classes, group),
    )
    data = export(tmp_path, [item])
    assert complaints(tmp_path, data) == []
    assert sum(s["iscrowd"] for s in data["annotations"][0]["segments_info"]) == 1
    assert quality(tmp_path, data, data) == 1


def test_the_judge_sees_what_is_wrong(tmp_path: Path) -> None:
    data = export(tmp_path, scenes())
    text = json.dumps(data)
    segments = data["annotations"][0]["segments_info"]
    segments[0]["area"] += 1
    assert complaints(tmp_path, data) == [f"area or box of {segments[0]['id']}"]
    del segments[0]
    assert complaints(tmp_path, data) == ["segment ids"]
    assert quality(tmp_path, json.loads(text), data) < 1
    data = json.loads(text)
    data["annotations"][0]["segments_info"][0]["category_id"] = 999
    assert len(complaints(tmp_path, data)) == 1
    data = json.loads(text)
    data["categories"][0]["isthing"] = 0
    assert "stuff in several segments" in complaints(tmp_path, data)


def test_a_group_of_stuff_is_no_group(tmp_path: Path) -> None:
    labels = np.array([[40, 40, 0], [0, 0, 7]])
    instances = np.array([[1, 1, 0], [0, 0, 2]])
    crowd = {1: {"crowd": True}}
    item = Item("a", labels, scene(0).classes, None, instances, {1: 40, 2: 7}, crowd)
    data = export(tmp_path, [item], stuff=("sky",))
    assert complaints(tmp_path, data) == []
