from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_s2clip.batch import find_inputs, read_list
from napari_s2clip.progress import Cancelled, CancelToken

from .conftest import photo


def names(inputs):
    return [item.name for item in inputs]


def test_a_folder_is_gone_through_and_names_say_where_images_lie(tmp_path: Path):
    for name in ("b.PNG", "a.jpg", "deep/down/ö 1.tif", ".hidden.png", "no.txt"):
        photo(tmp_path / "x.png").rename(_made(tmp_path / "in" / name))
    found = find_inputs([tmp_path / "in"])
    assert names(found) == ["a", "b", "deep/down/ö 1"]
    assert found[2].folder == "deep/down"
    assert found[2].stem == "ö 1"
    assert found[0].folder == ""


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_results_of_jobs_and_annotations_are_no_images(tmp_path: Path):
    photo(tmp_path / "a.png")
    photo(tmp_path / "results" / "a_coarse.png")
    (tmp_path / "results" / ".s2clip").mkdir()
    photo(tmp_path / "a.png.s2clip" / "b.png")
    photo(tmp_path / "now" / "b.png")
    assert names(find_inputs([tmp_path], without=tmp_path / "now")) == ["a"]


def test_patterns_files_and_folders_name_each_image_once(tmp_path: Path):
    for name in ("1/a.png", "1/b.tif", "2/c.png"):
        photo(tmp_path / "x.png").rename(_made(tmp_path / name))
    found = find_inputs([f"{tmp_path}/**/*.png", tmp_path / "1" / "a.png"])
    assert names(found) == ["1/a", "2/c"]
    assert names(find_inputs([tmp_path / "1" / "b.tif"])) == ["b"]
    # A name with brackets is a file first.
    photo(tmp_path / "[x].png")
    assert names(find_inputs([tmp_path / "[x].png"])) == ["[x]"]


def test_a_zarr_is_one_image(tmp_path: Path):
    zarr.create_array(str(tmp_path / "in" / "cells.ome.zarr"), data=np.ones((4, 4)))
    photo(tmp_path / "in" / "a.ome.tif")
    assert names(find_inputs([tmp_path / "in"])) == ["a", "cells"]
    assert names(find_inputs([tmp_path / "in" / "cells.ome.zarr"])) == ["cells"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (("a.png", "A.jpg"), ["a_png", "A_jpg"]),
        (("1/a.png", "2/a.png"), ["1/a_png", "2/a_png"]),
        (("1/a.png", "1/b.png", "2/a.png"), ["1/a_png", "b", "2/a_png"]),
    ],
)
def test_images_of_one_name_are_told_apart(tmp_path: Path, files, expected):
    paths = [photo(_made(tmp_path / name)) for name in files]
    assert names(find_inputs(paths)) == expected


@pytest.mark.parametrize(
    ("given", "sentence"),
    [("empty", "empty: no image is in it"), ("empty/*.png", "no file is called so")],
)
def test_nothing_is_an_error(tmp_path: Path, given, sentence):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=sentence):
        find_inputs([tmp_path / given])


def test_results_are_no_images(tmp_path: Path) -> None:
    folder = photo(tmp_path / "in" / "a.png").parent
    with pytest.raises(ValueError, match="in: the results would lie among the images"):
        find_inputs([folder], without=folder / ".." / "in")
    assert names(find_inputs([folder], without=folder / "out")) == ["a"]
    (folder / ".s2clip").mkdir()
    with pytest.raises(ValueError, match="in: it is a folder of results or a dataset;"):
        find_inputs([folder])


def test_a_list_has_a_path_a_line(tmp_path: Path):
    text = tmp_path / "list.txt"
    text.write_text("\ufeff# photographs\na b.png\n\n ../c.png \n", encoding="utf-8")
    assert read_list(text) == [tmp_path / "a b.png", tmp_path / "../c.png"]
    text.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"list\.txt: it is no text in UTF-8"):
        read_list(text)
    # A file that is not there is reported when its turn comes.
    assert names(find_inputs([tmp_path / "gone.png"])) == ["gone"]


def test_a_search_can_be_stopped(tmp_path: Path) -> None:
    photo(tmp_path / "a" / "b" / "one.png")
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        find_inputs([tmp_path / "a"], cancel=cancel)
