"""The commands ``export`` and ``import``."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from pycocotools.coco import COCO

from napari_s2clip.batch import Input, Job, run_job
from napari_s2clip.cli import main
from napari_s2clip.datasets import (
    FORMATS,
    DatasetError,
    DatasetWriter,
    Item,
    SemanticPNG,
)
from napari_s2clip.datasets.pictures import read_png, write_png

from .batch.conftest import CLASSES, QuickModel


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    random = np.random.default_rng(5)
    inputs = []
    for number in range(3):
        blocks = random.integers(0, 256, (4, 5, 3), np.uint8)
        path = folder / "in" / f"photo {number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(blocks.repeat(6, 0).repeat(6, 1)).save(path)
        inputs.append(Input(path, path.stem))
    done = list(run_job(Job(CLASSES), inputs, folder / "out", model=QuickModel()))
    assert [outcome.state for outcome in done] == ["done"] * 3
    return folder / "out"


@pytest.fixture
def run(capsys):
    def run(*arguments):
        code = main([*map(str, arguments)])
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_exported_is_imported(run, results, tmp_path, name):
    dataset = tmp_path / "data"
    code, text, errors = run("export", results, "--format", name, "--out", dataset)
    assert (code, errors) == (0, "")
    assert text.startswith("3 images (3 train) and ")
    code, text, errors = run("import", dataset, "--out", tmp_path / "back")
    assert (code, errors) == (0, "")
    assert text.startswith(f"3 images of {dataset} ({name}) written to")
    for number in range(3):
        file = f"photo {number}_refined.tif"
        first = tifffile.imread(results / file)
        assert np.array_equal(tifffile.imread(tmp_path / "back" / file), first)
    # It is as if it had been segmented: the next export is the same.
    code, *_ = run(
        *("export", tmp_path / "back", "--format", name, "--out", tmp_path / "again")
    )
    assert code == 0


def test_pycocotools_reads_the_masks(run, results, tmp_path):
    code, *_ = run("export", results, "--format", "coco", "--out", tmp_path / "d")
    assert code == 0
    (file,) = (tmp_path / "d" / "annotations").glob("*.json")
    coco = COCO(str(file))
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == ["dark", "bright"]
    for number, image in coco.imgs.items():
        labels = tifffile.imread(
            results / f"{Path(image['file_name']).stem}_refined.tif"
        )
        found = np.zeros_like(labels)
        for annotation in coco.loadAnns(coco.getAnnIds([number])):
            found[coco.annToMask(annotation) > 0] = annotation["category_id"]
        assert np.array_equal(found, labels)


def test_images_that_are_there_stay_unless_asked(run, results, tmp_path):
    arguments = ("export", results, "--format", "png", "--out", tmp_path / "d")
    run(*arguments)
    code, text, _ = run(*arguments)
    assert code == 0
    assert text.startswith("0 images and 0 objects written to")
    assert "photo 1: it is in" in text
    assert run(*arguments, "--overwrite")[1].startswith("3 images")
    code, _, errors = run(
        "export", results, "--format", "coco", "--out", tmp_path / "d"
    )
    assert code == 1
    assert "it holds a dataset with format 'png', not 'coco'" in errors


def test_options_reach_the_dataset(run, results, tmp_path):
    code, text, _ = run(
        *("export", results, "--format", "coco", "--out", tmp_path / "d"),
        *("--option", "segmentation=rle", "--val", "0.5", "--test", "0.2"),
        *("--tile", "16", "--overlap", "4", "--objects", "connected", "--json"),
    )
    assert code == 0
    data = json.loads(text)
    assert data["images"] == data["total"] == sum(data["splits"].values()) == 18
    about = json.loads((tmp_path / "d" / ".s2clip" / "dataset.json").read_text())
    assert about["options"] == {"segmentation": "rle"}
    assert (about["val"], about["test"]) == (0.5, 0.2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--format", "paint"], "there is no format 'paint'; choose one of coco, "),
        (["--format", "coco", "--option", "a"], "--option 'a': write KEY=VALUE"),
        (["--format", "coco", "--option", "a=b"], "a: there is no such option; coco "),
        (["--format", "tiff", "--option", "a=b"], "tiff has none"),
        (["--format", "coco", "--option", "segmentation=x"], "segmentation: must be"),
        (["--format", "coco", "--val", "2"], "--val: must be from 0 to 1"),
        (["--format", "coco", "--val", "0.6", "--test", "0.6"], "--val + test: "),
        (["--format", "coco", "--overlap", "2"], "--overlap: give pixels from 0"),
        (["--format", "coco", "--tile", "8", "--overlap", "8"], "--overlap: give"),
    ],
)
def test_wrong_options_are_one_line_and_2(run, results, tmp_path, arguments, sentence):
    code, text, errors = run("export", results, "--out", tmp_path / "d", *arguments)
    assert (code, text) == (2, "")
    assert sentence in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "d" / ".s2clip").exists()


def test_the_results_are_no_dataset(run, results):
    code, _, errors = run("export", results, "--format", "png", "--out", results)
    assert code == 2
    assert "choose another folder than that of the results" in errors


def test_a_folder_without_results_is_one_line(run, tmp_path):
    code, _, errors = run(
        "export", tmp_path, "--format", "png", "--out", tmp_path / "d"
    )
    assert code == 1
    assert "there are no results in it; run `napari-s2clip segment` first" in errors
    assert errors.count("\n") == 1


def test_what_is_left_out_is_said(run, results, tmp_path):
    code, text, errors = run(
        *("export", results, "--format", "png", "--out", tmp_path / "d", "--reviewed")
    )
    assert code == 1
    assert "photo 0: nobody has reviewed it" in text
    assert errors.endswith("no image was written\n")


def test_no_dataset_is_written_among_results(results):
    before = sorted(results.rglob("*"))
    with pytest.raises(DatasetError, match="out: it is a folder of results; choose an"):
        DatasetWriter(results, SemanticPNG(), CLASSES)
    assert sorted(results.rglob("*")) == before


def test_what_is_there_already_may_be_overwritten(run, results, tmp_path):
    arguments = ("export", results, "--format", "tiff", "--out", tmp_path / "d")
    assert run(*arguments)[0] == 0
    _, text, errors = run(*arguments)
    assert f"it is in {tmp_path / 'd'} already; overwrite it or choose" in text + errors
    assert run(*arguments, "--overwrite")[0] == 0


def test_a_damaged_image_of_a_dataset_is_reported_and_passed(run, results, tmp_path):
    dataset = tmp_path / "d"
    run("export", results, "--format", "png", "--out", dataset)
    (mask,) = dataset.rglob("masks/*/photo 1.png")
    mask.write_bytes(mask.read_bytes()[:40])
    code, text, errors = run("import", dataset, "--out", tmp_path / "back", "--json")
    assert code == 1
    assert errors.startswith(f"napari-s2clip: error: photo 1: {mask}: ")
    assert errors.count("\n") == 1
    told = json.loads(text)
    assert told["images"] == ["photo 0", "photo 2"]
    assert [name for name, _ in told["failed"]] == ["photo 1"]


def test_what_was_read_of_a_damaged_dataset_is_told(run, results, tmp_path):
    dataset = tmp_path / "d"
    run("export", results, "--format", "hf", "--out", dataset, "--val", 0.8)
    first, second = sorted(dataset.rglob("metadata.jsonl"))
    count = len(first.read_text(encoding="utf-8").splitlines())
    second.write_bytes(b"\xff\xfe\n")
    code, text, errors = run("import", dataset, "--out", tmp_path / "b", "--json")
    assert code == 1
    assert f"{second}: it is no text" in errors
    assert errors.count("\n") == 1
    told = json.loads(text)
    assert len(told["images"]) == count
    assert [name for name, _ in told["failed"]] == [str(dataset)]
    # Where nothing was read there is nothing to tell.
    first.write_bytes(b"\xff\xfe\n")
    code, text, errors = run("import", dataset, "--out", tmp_path / "c", "--json")
    assert (code, text) == (1, "")
    assert errors.count("\n") == 1


def test_labels_come_back_to_the_results_of_their_job(run, results, tmp_path):
    out, dataset = tmp_path / "out", tmp_path / "d"
    shutil.copytree(results, out)
    run("export", results, "--format", "png", "--out", dataset)
    masks = sorted(dataset.rglob("masks/*/*.png"))
    write_png(masks[0], read_png(masks[0]) * 0 + 1)
    masks[1].rename(masks[1].with_name("photo 9.png"))
    code, _, errors = run("import", dataset, "--out", out, "--overwrite")
    assert code == 1
    assert errors == (
        f"napari-s2clip: error: photo 9: {out} is the folder of a job that has no "
        "results of it; give another folder\n"
    )
    assert not list(out.glob("photo 9*"))
    assert set(tifffile.imread(out / "photo 0_refined.tif").ravel()) == {1}
    # A job takes them for what they are: the work of somebody.
    inputs = [Input(results.parent / "in" / "photo 0.png", "photo 0")]
    (outcome,) = run_job(Job(CLASSES), inputs, out, model=QuickModel(), again=True)
    assert outcome.state == "kept"


def test_import_needs_a_folder_of_its_own(run, results, tmp_path):
    dataset, file = tmp_path / "d", tmp_path / "file"
    run("export", results, "--format", "tiff", "--out", dataset)
    before = sorted(dataset.rglob("*"))
    code, _, errors = run("import", dataset, "--out", dataset / ".." / "d")
    assert code == 2
    assert "--out: give another folder than that of the dataset" in errors
    assert sorted(dataset.rglob("*")) == before
    file.write_text("x")
    code, _, errors = run("import", dataset, "--out", file)
    assert code == 2
    assert f"--out: {file} is a file; give a folder" in errors
    assert "overwrite" not in errors


def test_import_finds_the_format_or_asks(run, results, tmp_path):
    (tmp_path / "d").mkdir()
    code, _, errors = run("import", tmp_path / "d", "--out", tmp_path / "b")
    assert code == 2
    assert "its format is not known; name it with --format" in errors
    code, _, errors = run("import", tmp_path / "none", "--out", tmp_path / "b")
    assert code == 1
    assert "there is no such file" in errors
    run("export", results, "--format", "yolo", "--out", tmp_path / "y")
    code, text, _ = run(
        *(
            "import",
            tmp_path / "y",
            "--format",
            "yolo",
            "--out",
            tmp_path / "b",
            "--json",
        )
    )
    assert code == 0
    assert json.loads(text)["images"] == ["photo 0", "photo 1", "photo 2"]
    code, _, errors = run("import", tmp_path / "y", "--out", tmp_path / "b")
    assert code == 1
    assert errors.count("exists already") == 3
    assert "--overwrite" in errors
    assert run("import", tmp_path / "y", "--out", tmp_path / "b", "--overwrite")[0] == 0


def test_objects_have_rows_in_the_table(run, results, tmp_path):
    run("export", results, "--format", "coco", "--out", tmp_path / "d")
    run("import", tmp_path / "d", "--out", tmp_path / "b", "--no-pictures")
    table = (tmp_path / "b" / "photo 0_regions.csv").read_text().splitlines()
    regions = tifffile.imread(tmp_path / "b" / "photo 0_regions.tif")
    areas = {int(r.split(",")[0]): int(r.split(",")[3]) for r in table[1:]}
    assert areas == {n: int((regions == n).sum()) for n in np.unique(regions) if n}
    for row in table[1:]:
        cells = row.split(",")
        x, y = float(cells[9]), float(cells[10])
        assert regions[int(y), int(x)] == int(cells[0])
        assert float(cells[4]) == 0.5
    assert not list((tmp_path / "b").glob("*.png"))


def test_pixels_to_ignore_go_on_as_such(run, tmp_path):
    labels = np.array([[1, 1, 0], [0, 2, 2]])
    ignore = np.array([[0, 0, 1], [1, 0, 0]], bool)
    writer = DatasetWriter(tmp_path / "d", SemanticPNG(), CLASSES)
    writer.add(Item("a", labels, CLASSES, ignore=ignore))
    writer.finish()
    assert run("import", tmp_path / "d", "--out", tmp_path / "b")[0] == 0
    refined = tifffile.imread(tmp_path / "b" / "a_refined.tif")
    refined[0, 2] = 2  # somebody knows it now
    tifffile.imwrite(tmp_path / "b" / "a_refined.tif", refined)
    arguments = ("export", tmp_path / "b", "--format", "png", "--no-images")
    assert run(*arguments, "--out", tmp_path / "again")[0] == 0
    (item,) = SemanticPNG().read(tmp_path / "again")
    assert item.labels.tolist() == [[1, 1, 2], [0, 2, 2]]
    assert item.ignore.tolist() == [[False] * 3, [True, False, False]]
    # Without any the file goes.
    writer = DatasetWriter(tmp_path / "d", SemanticPNG(), CLASSES, overwrite=True)
    writer.add(Item("a", labels, CLASSES))
    writer.finish()
    again = ("import", tmp_path / "d", "--out", tmp_path / "b", "--overwrite")
    code, _, errors = run(*again)
    assert code == 1
    assert "a_refined.tif was edited since it was written and is kept" in errors
    assert tifffile.imread(tmp_path / "b" / "a_refined.tif")[0, 2] == 2
    (tmp_path / "b" / "a_refined.tif").unlink()
    assert run(*again)[0] == 0
    assert not (tmp_path / "b" / "a_ignore.tif").exists()
