"""What pycocotools and torchvision make of our COCO files."""

import contextlib
import copy
import io
import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from napari_s2clip.datasets import Coco, DatasetWriter, Item

from .scenes import MANY, scene, scenes

WAYS = ("auto", "rle", "compressed", "polygons")


def export(folder: Path, items: list[Item], way: str) -> Path:
    writer = DatasetWriter(folder, Coco(way), items[0].classes)
    for item in items:
        writer.add(item)
    writer.finish()
    return folder / "annotations" / "instances_train.json"


def quietly(function, *args):
    with contextlib.redirect_stdout(io.StringIO()):
        return function(*args)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("many", [False, True])
def test_pycocotools_sees_every_pixel_of_large_maps(
    way: str, many: bool, tmp_path: Path
) -> None:
    given = [scene(1, MANY)] if many else scenes()
    foreign = quietly(COCO, export(tmp_path, given, way))
    kinds = {entry["id"]: entry["name"] for entry in foreign.dataset["categories"]}
    assert kinds == dict(zip(given[0].classes.ids, given[0].classes.names, strict=True))
    for item, image in zip(given, foreign.dataset["images"], strict=True):
        instances, classes = item.objects()
        found = foreign.loadAnns(foreign.getAnnIds(imgIds=[image["id"]]))
        assert {a["attributes"]["instance"]: a["category_id"] for a in found} == classes
        seen = np.zeros(item.shape, int)
        for annotation in found:
            mask = foreign.annToMask(annotation).astype(bool)
            seen[mask] += annotation["attributes"]["instance"]
            assert annotation["area"] == mask.sum()
            rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
            x, y = columns[0], rows[0]
            size = [columns[-1] + 1 - x, rows[-1] + 1 - y]
            assert annotation["bbox"] == [x, y, *size]
        np.testing.assert_array_equal(seen, instances)


def precision(truth: COCO, results: list[dict]) -> np.ndarray:
    # It writes into the results it is given.
    guess = quietly(truth.loadRes, copy.deepcopy(results))
    judge = COCOeval(truth, guess, "segm")
    judge.params.maxDets = [1000]
    judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
    quietly(judge.evaluate)
    quietly(judge.accumulate)
    found = judge.eval["precision"]
    return found[found > -1]


@pytest.mark.parametrize("way", WAYS)
def test_a_dataset_has_an_average_precision_of_1_against_itself(
    way: str, tmp_path: Path
) -> None:
    given = scenes()
    crowds = {}
    for place, item in enumerate(given):
        numbers = sorted(item.objects()[1])
        if item.instances is not None:
            crowds[place] = numbers[0]
            given[place] = Item(
                *(item.name, item.labels, item.classes, item.image),
                *(item.instances, item.instance_classes),
                {numbers[0]: {"crowd": True}},
            )
    truth = quietly(COCO, export(tmp_path, given, way))
    groups = [a for a in truth.dataset["annotations"] if a["iscrowd"]]
    assert [a["attributes"]["instance"] for a in groups] == list(crowds.values())
    results = [
        {
            "image_id": annotation["image_id"],
            "category_id": annotation["category_id"],
            "segmentation": truth.annToRLE(annotation),
            "score": 0.9,
        }
        for annotation in truth.dataset["annotations"]
    ]
    np.testing.assert_array_equal(precision(truth, results), 1)
    # Who finds no group loses nothing; who finds no objects does.
    alone = [
        result
        for result, annotation in zip(
            results, truth.dataset["annotations"], strict=True
        )
        if not annotation["iscrowd"]
    ]
    assert len(alone) == len(results) - 2
    np.testing.assert_array_equal(precision(truth, alone), 1)
    assert precision(truth, alone[1:]).mean() < 1


def test_torchvision_pairs_images_and_annotations(tmp_path: Path) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    given = scenes()
    index = export(tmp_path, given, "auto")
    found = quietly(datasets.CocoDetection, tmp_path / "images" / "train", index)
    assert len(found) == len(given)
    for item, (image, target) in zip(given, found, strict=True):
        np.testing.assert_array_equal(np.asarray(image), item.image)
        seen = np.zeros(item.shape, int)
        for annotation in target:
            seen[found.coco.annToMask(annotation) > 0] = annotation["category_id"]
        np.testing.assert_array_equal(seen, item.labels)


@pytest.mark.parametrize("way", WAYS)
def test_polygons_have_three_points_and_runs_are_of_the_image(
    way: str, tmp_path: Path
) -> None:
    (item,) = given = [scene(3)]
    data = json.loads(export(tmp_path, given, way).read_text(encoding="utf-8"))
    assert [a["id"] for a in data["annotations"]] == [
        *range(1, len(data["annotations"]) + 1)
    ]
    for annotation in data["annotations"]:
        shape = annotation["segmentation"]
        if isinstance(shape, dict):
            assert way != "polygons"
            assert shape["size"] == list(item.shape)
        else:
            assert way in {"auto", "polygons"}
            assert all(len(ring) >= 8 and len(ring) % 2 == 0 for ring in shape)
