"""Jobs that are killed: nothing is half written, lost, or done twice."""

import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_s2clip.batch.journal import read_entries
from napari_s2clip.io.results import TEMPORARY

from ..deaths import Work, server
from .batch_child import IMAGES

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="processes are forked and limited as on Linux"
)
KILLS = 50


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Work]:
    """A job in a child of a process that has everything imported."""
    with server("tests.batch.batch_child", tmp_path_factory.mktemp("warm")) as found:
        yield found


def files(folder: Path) -> dict[str, bytes]:
    """What lies under names that somebody reads, but the journal, which tells times."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix != ".new"
        and not any(p.startswith(TEMPORARY) for p in path.relative_to(folder).parts)
        and path.name not in {"journal.jsonl", "lock"}
    }


def done(folder: Path) -> dict[str, dict[str, int]]:
    """Finished images, and numbers that tell whether a file is written anew."""
    return {
        name: {file: (folder / file).stat().st_ino for file in entry["files"]}
        for name, entry in read_entries(folder).items()
        if entry["event"] == "done"
    }


def assert_sound(folder: Path, known: dict[str, bytes]) -> None:
    for name, content in files(folder).items():
        # They tell of all images that there are.
        if name.endswith(("summary.json", "contact-sheet.html")):
            assert content.endswith(b"\n")
        else:
            assert content == known[name], name


def test_a_killed_job_is_whole_so_far_and_goes_on(work: Work, tmp_path: Path) -> None:
    whole = tmp_path / "whole" / "out"
    end = work(whole)
    assert end["code"] == 0
    assert len(end["said"]["done"]) == IMAGES
    known, steps = files(whole), end["steps"]
    fate = random.Random(7)
    kills = torn = 0
    while kills < KILLS:
        folder = tmp_path / str(kills) / "out"
        tear = fate.choice([None, fate.randrange(900)])
        end = work(folder, step=fate.randrange(steps), tear=tear)
        if end["code"] == 0:  # the last files are small
            shutil.rmtree(folder)
            continue
        assert end["code"] < 0
        kills += 1
        assert_sound(folder, known)
        before = done(folder)
        torn += any(folder.rglob(f"{TEMPORARY}*"))
        end = work(folder)
        assert end["code"] == 0
        said = end["said"]
        assert sorted(said.get("skipped", [])) == sorted(before)
        assert len(said.get("done", [])) == IMAGES - len(before)
        after = done(folder)
        assert before.items() <= after.items()  # nothing was done twice
        assert files(folder) == known
        assert not any(folder.rglob(f"{TEMPORARY}*"))
    assert torn


def test_a_killed_job_that_replaces_another_is_no_edit(
    work: Work, tmp_path: Path
) -> None:
    """Old and new results may be mixed then, which nobody takes for corrections."""
    old, new = tmp_path / "old" / "out", tmp_path / "new" / "out"
    assert work(old)["code"] == work(new)["code"] == 0
    end = work(new, brighter=True)
    assert (end["code"], list(end["said"])) == (0, ["done"])
    before, known, steps = files(old), files(new), end["steps"]
    maps = [name for name in known if name.endswith("_refined.tif")]
    assert all(before[name] != known[name] for name in maps)
    fate = random.Random(3)
    mixed = kills = 0
    while kills < 20:
        folder = tmp_path / str(kills) / "out"
        shutil.copytree(old, folder)
        for _ in range(fate.randint(1, 3)):  # some while they go on
            end = work(folder, step=fate.randrange(steps), brighter=True)
            kills += end["code"] < 0
            mixed += any(folder.rglob(f"{TEMPORARY}*/new.json"))
            for name, content in files(folder).items():
                if name.endswith((".tif", ".csv")):
                    assert content in (before[name], known[name]), name
        end = work(folder, brighter=True)
        assert end["code"] == 0
        assert end["said"].keys() <= {"done", "skipped"}
        assert files(folder) == known
        shutil.rmtree(folder.parent)
    assert mixed
