import cv2
import numpy as np
import pytest

from napari_s2clip.datasets import DatasetError, Yolo

from .exact import item_of, there_and_back


@pytest.mark.parametrize("to_pixels", [np.floor, np.rint])
def test_opencv_fills_rows_of_yolo_whether_cut_or_rounded(to_pixels, tmp_path):
    labels = (np.random.default_rng(1).random((97, 113)) < 0.6) * 7
    Yolo().write(item_of(labels), tmp_path, "train")
    filled = np.zeros(labels.shape, np.uint8)
    for row in (tmp_path / "labels/train/one.txt").read_text().splitlines():
        points = np.array(row.split()[1:], np.float32).reshape(-1, 2) * (113, 97)
        cv2.fillPoly(filled, [to_pixels(points).astype(np.int32)], 1)
    np.testing.assert_array_equal(filled, labels == 7)


@pytest.mark.parametrize(("parts", "rows"), [("rows", 2), ("bridges", 1)])
def test_yolo_says_what_becomes_of_parts(parts, rows, tmp_path):
    labels = np.zeros((3, 9), int)
    labels[:, :2] = labels[:, 6:] = 7
    item = item_of(labels, instances=np.minimum(labels, 1), instance_classes={1: 7})
    back, record = there_and_back(Yolo(parts), item, tmp_path)
    assert len(back.instance_classes) == rows
    assert len(record.skipped) == 1
    assert (back.labels != labels).sum() == (0 if parts == "rows" else 4)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0 0.5 0.5 0.1 0.1", "line 1: it is a box"),
        ("9 0 0 0 1 1 1", "line 1: class must be from 0 to 2, got 9"),
        ("nan 0 0 0 1 1 1", "line 1: class must be from 0 to 2, got nan"),
        ("inf 0 0 0 1 1 1", "line 1: class must be from 0 to 2, got inf"),
        ("0.5 0 0 0 1 1 1", "line 1: class must be from 0 to 2, got 0.5"),
        ("0 0 0 1 1 0", "line 1: an outline needs three points"),
        ("0 0 0 3 1 1 1", "line 1: coordinates must be fractions"),
        ("cat 0 0 0 1 1 1", "line 1: it must hold numbers only"),
    ],
)
def test_yolo_refuses_rows_by_their_line(row, message, tmp_path):
    there_and_back(Yolo(), item_of(np.zeros((4, 4), int)), tmp_path)
    (tmp_path / "labels/train/one.txt").write_text(row)
    with pytest.raises(DatasetError, match=message):
        list(Yolo().read(tmp_path))


def test_yolo_of_roboflow_is_read(tmp_path):
    from PIL import Image

    for part in ("train", "valid", "test"):
        for kind in ("images", "labels"):
            (tmp_path / part / kind).mkdir(parents=True)
        Image.new("RGB", (8, 4)).save(tmp_path / part / "images" / f"{part}_jpg.rf.jpg")
        row = "1 0 0 0.5 0 0.5 1 0 1\n"
        (tmp_path / part / "labels" / f"{part}_jpg.rf.txt").write_text(row)
    index = tmp_path / "data.yaml"
    index.write_text(
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\n"
        "nc: 2\nnames: ['cat', 'background']\n"
    )
    items = list(Yolo().read(tmp_path))
    assert {item.name: item.split for item in items} == {
        "test_jpg.rf": "test",
        "train_jpg.rf": "train",
        "valid_jpg.rf": "val",
    }
    assert items[0].classes.names == ("cat", "background")
    assert items[0].image.shape == (4, 8, 3)
    assert set(np.unique(items[0].labels[:, :4])) == {2}
    assert [item.name for item in Yolo().read(index)] == [item.name for item in items]


def test_yolo_needs_the_image_or_our_word_for_its_size(tmp_path):
    labels = np.array([[7, 0], [0, 300]])
    there_and_back(Yolo(), item_of(labels, image=None), tmp_path)
    (item,) = Yolo().read(tmp_path)
    np.testing.assert_array_equal(item.labels, labels)
    assert item.image is None
    assert item.notes == ("the image was not given, so there are only labels",)
    (tmp_path / ".s2clip/items/one.json").unlink()
    words = r"one\.txt: its image is missing in .*images, and without it the size is"
    with pytest.raises(DatasetError, match=words):
        list(Yolo().read(tmp_path))


def test_yolo_classes_that_others_renamed_are_theirs(tmp_path):
    there_and_back(Yolo(), item_of(np.array([[7, 300]])), tmp_path)
    index = tmp_path / "data.yaml"
    index.write_text(index.read_text().replace("0: cat", "0: cow"))
    (item,) = Yolo().read(tmp_path)
    assert item.classes.names == ("cow", "dog", "bird")
    assert item.classes.ids == (1, 2, 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- 3", "names: they are missing"),
        ("nc: 3", "names: it is no list of names"),
        ("names: {0: cat, 2: dog}", "names: they must be numbered from 0 without gaps"),
        ("names: [no]", "name of 0: False is no text"),
        ("names: [cat, cat]", "is named twice"),
        ("names: [", "it is no YAML"),
    ],
)
def test_yolo_refuses_an_index_by_its_field(text, words, tmp_path):
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(DatasetError, match=rf"^[^\n]*data\.yaml: [^\n]*{words}[^\n]*$"):
        list(Yolo().read(tmp_path))
