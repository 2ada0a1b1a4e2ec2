"""Exports that are killed: nothing is half written, lost, or done twice."""

import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_s2clip.datasets import FORMATS

from ..deaths import server
from .export_child import IMAGES, items

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="processes are forked and limited as on Linux"
)
KILLS = 50
INDEX = Path(".s2clip", "dataset.json")
OLD = 3 * 24 * 3600

Export = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def exporting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Export]:
    """Exports in a child of a process that has everything imported."""
    usual = {"version": 0, "overwrite": False, "only_finish": False}
    with server("tests.datasets.export_child", tmp_path_factory.mktemp("warm")) as work:

        def export(folder: Path, name: str, **options: Any) -> dict[str, Any]:
            return work(folder, **{**usual, **options, "name": name})

        yield export


@pytest.fixture(scope="module", params=FORMATS)
def whole(
    request: pytest.FixtureRequest,
    exporting: Export,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, dict[Path, bytes], int]:
    """Name of a format, files of an export that nobody disturbed, and its steps."""
    folder = tmp_path_factory.mktemp("whole") / "data"
    end = exporting(folder, request.param)
    assert end["code"] == 0
    assert len(end["said"]) == IMAGES
    return request.param, files(folder), end["steps"]


def leftover(path: Path) -> bool:
    return path.suffix in {".new", ".old"}


def files(folder: Path) -> dict[Path, bytes]:
    """What lies under names that somebody reads."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not any(map(leftover, path.relative_to(folder).parents))
        if not leftover(path)
    }


def complete(folder: Path) -> dict[str, list[Path]]:
    """Files of each image that is in the dataset."""
    found = {}
    for path in (folder / ".s2clip" / "items").glob("*.json"):
        record = json.loads(path.read_text(encoding="utf-8"))["record"]
        found[record["name"]] = [path, *(folder / f for f in record["files"])]
    return found


def assert_sound(folder: Path, known: dict[Path, bytes]) -> dict[Path, int]:
    """Every file is whole; numbers that tell whether a complete one is written anew."""
    for path, content in files(folder).items():
        if path == INDEX:
            assert json.loads(content)["classes"] == json.loads(known[INDEX])["classes"]
        else:
            assert content == known[path], path
    return {
        path: path.stat().st_ino
        for paths in complete(folder).values()
        for path in paths
    }


def assert_readable(folder: Path, name: str, wanted: int) -> None:
    read = list(FORMATS[name]().read(folder))
    assert [item.name for item in sorted(read, key=lambda item: item.name)] == sorted(
        item.name for item in items(wanted)
    )


def death(fate: random.Random, steps: int) -> dict[str, int | None]:
    """A moment to die at: before a step, or in the middle of a file."""
    tear = fate.choice([None, fate.randrange(900)])
    return {"step": fate.randrange(steps), "tear": tear}


def test_a_killed_export_is_whole_so_far_and_goes_on(
    whole: tuple[str, dict[Path, bytes], int], exporting: Export, tmp_path: Path
) -> None:
    name, known, steps = whole
    fate = random.Random(name)
    kills = left = 0
    while kills < -(-KILLS // len(FORMATS)):
        folder = tmp_path / str(kills) / "data"
        begun: dict[Path, int] = {}
        added = IMAGES
        for _ in range(2):
            end = exporting(folder, name, **death(fate, steps * (added + 1) // IMAGES))
            kills += end["code"] < 0
            assert end["code"] <= 0
            there = assert_sound(folder, known)
            assert begun.items() <= there.items()  # nothing was done twice
            begun, added = there, IMAGES - len(complete(folder))
        left += sum(map(leftover, folder.rglob("*")))
        end = exporting(folder, name)
        assert len(end["said"]) == added
        assert begun.items() <= assert_sound(folder, known).items()
        assert files(folder) == known
    assert left  # the readers saw some, and passed them by
    assert_readable(folder, name, 0)


def test_what_a_killed_export_left_goes_after_a_day(
    whole: tuple[str, dict[Path, bytes], int], exporting: Export, tmp_path: Path
) -> None:
    name, known, steps = whole
    folder = tmp_path / "data"
    fate = random.Random(1)
    while not (left := [p for p in folder.rglob("*") if leftover(p)]):
        exporting(folder, name, step=fate.randrange(steps), tear=fate.randrange(200))
    # Fresh ones may be of somebody who writes now.
    assert exporting(folder, name)["code"] == 0
    assert all(path.exists() for path in left)
    for path in left:
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - OLD))
    assert exporting(folder, name)["said"] == []
    assert not any(map(leftover, folder.rglob("*")))
    assert files(folder) == known


@pytest.mark.parametrize("name", ["coco", "panoptic", "ome-zarr"])
def test_a_killed_replacement_mixes_no_image_with_labels_of_another(
    name: str, exporting: Export, tmp_path: Path
) -> None:
    new = {"version": 1, "overwrite": True}
    exporting(tmp_path / "data", name, version=1)
    known = files(tmp_path / "data")
    fate = random.Random(name)
    versions = [{item.name: item for item in items(version)} for version in (0, 1)]
    for number in range(5):
        folder = tmp_path / str(number) / "data"
        steps = exporting(folder, name)["steps"]
        assert exporting(folder, name, **new, **death(fate, steps))["code"] < 0
        # Somebody finishes what is there.
        assert exporting(folder, name, only_finish=True)["code"] == 0
        read = list(FORMATS[name]().read(folder))
        assert IMAGES - 1 <= len(read) <= IMAGES
        for item in read:
            assert any(
                np.array_equal(item.image, other[item.name].image)
                and np.array_equal(item.labels, other[item.name].labels)
                for other in versions
            )
        assert len(exporting(folder, name, **new)["said"]) == IMAGES
        assert files(folder) == known
