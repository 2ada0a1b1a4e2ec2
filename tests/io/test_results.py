from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from napari_s2clip.classes import ClassSet
from napari_s2clip.io import overlay as overlay_module
from napari_s2clip.io.results import (
    SUFFIXES,
    output_paths,
    refuse_existing,
    write_segmentation,
)
from napari_s2clip.results import REGION_COLUMNS, Segmentation

ROWS = [
    # region, class, name, area, probability, box, point, score, refined
    (1, 1, "cat", 40, 0.75, 0, 0, 4, 10, 1.5, 2.5, 0.9, True),
    (2, 2, "chien; à poil", 30, 0.5, 4, 0, 7, 10, 5.5, 2.5, np.nan, False),
]


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (10, 8, 3), np.uint8)


@pytest.fixture
def result():
    coarse = np.zeros((10, 8), np.uint16)
    coarse[:, :4] = 1
    coarse[:, 4:7] = 2
    refined = coarse.copy()
    refined[0] = 0
    table = pd.DataFrame(ROWS, columns=list(REGION_COLUMNS)).astype(REGION_COLUMNS)
    return Segmentation(
        classes=ClassSet(["cat | kitten", "chien; à poil", "cow"], ["sky"]),
        coarse=coarse,
        regions=coarse.astype(np.int32),
        region_table=table,
        refined=refined,
        owners=coarse.astype(np.int32),
        probabilities=np.zeros((3, 10, 8), np.float32),
        provenance={"model": "demo", "input_notes": ["a note"]},
        seconds={"encode": 0.5},
    )


def test_all_files_are_written_and_nothing_else(tmp_path, result, image):
    folder = tmp_path / "deep" / "folder"
    paths = write_segmentation(result, image, folder, "a.b")
    assert [path.name for path in paths] == [f"a.b{suffix}" for suffix in SUFFIXES]
    assert sorted(folder.iterdir()) == sorted(paths)
    assert paths == output_paths(folder, "a.b")


def test_maps_keep_values_and_dtypes(tmp_path, result, image):
    write_segmentation(result, image, tmp_path, "a")
    for name, dtype in (
        ("coarse", np.uint16),
        ("regions", np.int32),
        ("refined", np.uint16),
    ):
        with tifffile.TiffFile(tmp_path / f"a_{name}.tif") as tiff:
            (page,) = tiff.pages
            array = page.asarray()
            (metadata,) = tiff.shaped_metadata
            assert page.compression.name == "ADOBE_DEFLATE"
            assert page.software.startswith("napari-s2clip")
        assert array.dtype == dtype
        np.testing.assert_array_equal(array, getattr(result, name))
        assert metadata["axes"] == "YX"
        assert metadata["stage"] == name
        if name == "refined":
            assert metadata["values"] == {
                "0": "background",
                "1": "cat",
                "2": "chien; à poil",
            }


def test_a_map_of_one_pixel_stays_a_plane(tmp_path, result, image):
    tiny = replace(
        result,
        coarse=result.coarse[:1, :1],
        regions=result.regions[:1, :1],
        refined=result.refined[:1, :1],
        owners=result.owners[:1, :1],
    )
    write_segmentation(tiny, image[:1, :1], tmp_path, "a")
    assert tifffile.imread(tmp_path / "a_regions.tif").tolist() == [[1]]


def test_pictures_show_the_maps_beside_a_legend(tmp_path, result, image):
    write_segmentation(result, image, tmp_path, "a")
    for name in ("coarse", "regions", "refined"):
        with Image.open(tmp_path / f"a_{name}.png") as picture:
            picture.load()
            assert picture.mode == "RGB"
            # 8 × 10 pixels become 160 × 200.
            assert picture.height >= 200
            assert picture.width > 200


def test_the_table_is_read_back(tmp_path, result, image):
    write_segmentation(result, image, tmp_path, "a")
    data = (tmp_path / "a_regions.csv").read_bytes()
    assert b"\r" not in data
    assert data.decode("utf-8").splitlines()[0] == ",".join(REGION_COLUMNS)
    table = pd.read_csv(tmp_path / "a_regions.csv", encoding="utf-8")
    pd.testing.assert_frame_equal(
        table.astype(REGION_COLUMNS), result.region_table.astype(REGION_COLUMNS)
    )


def test_no_regions_make_a_table_with_a_head_only(tmp_path, result, image):
    empty = replace(
        result, regions=result.regions * 0, region_table=result.region_table[:0]
    )
    write_segmentation(empty, image, tmp_path, "a")
    assert len((tmp_path / "a_regions.csv").read_text().splitlines()) == 1


def test_the_description_says_what_the_values_mean(tmp_path, result, image):
    write_segmentation(result, image, tmp_path, "a")
    data = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert list(data) == [
        "software",
        "image",
        "classes",
        "background",
        "pixels",
        "regions",
        "seconds",
        "provenance",
        "maps",
    ]
    assert data["image"] == {"width": 8, "height": 10}
    assert data["classes"][1]["id"] == 2
    assert data["classes"][1]["name"] == "chien; à poil"
    assert data["classes"][0]["synonyms"] == ["kitten"]
    assert data["classes"][0]["colour"] == result.classes.colours[0]
    assert data["background"] == ["sky"]
    # By label value: background, cat, chien, cow.
    assert data["pixels"] == {
        "coarse": {"0": 10, "1": 40, "2": 30, "3": 0},
        "regions": {"0": 10, "1": 40, "2": 30, "3": 0},
        "refined": {"0": 17, "1": 36, "2": 27, "3": 0},
    }
    assert data["regions"] == 2
    assert data["seconds"] == {"encode": 0.5}
    assert data["provenance"] == result.provenance


def test_label_values_are_ids(tmp_path, result, image):
    ids = (3, 1, 7)
    classes = ClassSet(
        [replace(e, id=i) for e, i in zip(result.classes, ids, strict=True)], ["sky"]
    )
    gaps = replace(
        result,
        classes=classes,
        coarse=classes.label_values(result.coarse),
        refined=classes.label_values(result.refined),
        region_table=result.region_table.assign(class_id=[3, 1]),
    )
    write_segmentation(gaps, image, tmp_path, "a")
    data = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert [entry["id"] for entry in data["classes"]] == [3, 1, 7]
    assert data["pixels"]["regions"] == {"0": 10, "3": 40, "1": 30, "7": 0}
    assert data["pixels"]["refined"] == {"0": 17, "3": 36, "1": 27, "7": 0}
    with tifffile.TiffFile(tmp_path / "a_coarse.tif") as tiff:
        (metadata,) = tiff.shaped_metadata
    assert metadata["values"] == {"0": "background", "1": "chien; à poil", "3": "cat"}


def test_existing_files_are_not_touched(tmp_path, result, image):
    (tmp_path / "a_refined.tif").write_text("mine")
    with pytest.raises(FileExistsError, match=r"a_refined\.tif exists already"):
        write_segmentation(result, image, tmp_path, "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a_refined.tif"]
    assert (tmp_path / "a_refined.tif").read_text() == "mine"
    write_segmentation(result, image, tmp_path, "a", overwrite=True)
    assert tifffile.imread(tmp_path / "a_refined.tif").shape == (10, 8)
    write_segmentation(result, image, tmp_path, "other")
    with pytest.raises(FileExistsError, match="and 8 more"):
        refuse_existing(output_paths(tmp_path, "a"))


def test_a_failure_leaves_things_as_they_were(tmp_path, result, image, monkeypatch):
    write_segmentation(result, image, tmp_path, "a")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    # Plain JSON has no NaN, and the description is the last file of all.
    broken = replace(result, seconds={"encode": float("nan")}, refined=result.coarse)
    with pytest.raises(ValueError, match="JSON"):
        write_segmentation(broken, image, tmp_path, "a", overwrite=True)

    def interrupt(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(overlay_module, "overlay", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_segmentation(result, image, tmp_path, "a", overwrite=True)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("stem", ["", ".", "..", "a/b", "a\\b", "/a", "a\0"])
def test_a_stem_is_a_plain_name(tmp_path, result, image, stem):
    with pytest.raises(ValueError, match="stem"):
        write_segmentation(result, image, tmp_path, stem)


@pytest.mark.parametrize("part", ["rows", "channels", "dtype"])
def test_image_and_maps_must_fit(tmp_path, result, image, part):
    wrong = {"rows": image[1:], "channels": image[..., 0], "dtype": image / 1}[part]
    with pytest.raises(ValueError, match="image_rgb must be uint8"):
        write_segmentation(result, wrong, tmp_path, "a")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made(tmp_path, result, image):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_segmentation(result, image, tmp_path / "file" / "sub", "a")
