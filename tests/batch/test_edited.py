"""What people edited is told from what jobs have written, whatever stopped these."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_s2clip import ClassSet
from napari_s2clip.batch import Job, run_job, write_summary
from napari_s2clip.batch.cluster import _Remote
from napari_s2clip.batch.finished import FinishedImage, finished_images
from napari_s2clip.batch.from_dataset import write_item
from napari_s2clip.batch.journal import Journal, read_entries
from napari_s2clip.batch.listing import list_results
from napari_s2clip.batch.training import FolderItems
from napari_s2clip.io.map_files import digest_of
from napari_s2clip.io.results import TEMPORARY

if TYPE_CHECKING:
    from .conftest import QuickModel


@pytest.fixture
def out(job: Job, inputs, model: QuickModel, tmp_path: Path) -> Path:
    """Results of two photographs."""
    list(run_job(job, inputs[:2], tmp_path / "out", model=model))
    return tmp_path / "out"


def paint(out: Path, number: int = 0) -> np.ndarray:
    path = out / f"photo {number}_refined.tif"
    labels = 3 - tifffile.imread(path)
    tifffile.imwrite(path, labels)
    return labels


def states(*args: Any, **options: Any) -> list[str]:
    return [outcome.state for outcome in run_job(*args, **options)]


def brighter(job: Job) -> Job:
    """A job whose maps are others."""
    return replace(job, contrast_limits=(0.0, 100.0))


def test_imported_labels_are_kept_once_they_are_edited(
    out, job, inputs, model, tmp_path
):
    """No journal tells of them, but their description does."""
    folder = tmp_path / "imported"
    for item in FolderItems(finished_images(out)):
        write_item(item, folder)
    labels = paint(folder, 0)
    assert states(job, inputs[:2], folder, model=model) == ["failed"] * 2
    assert states(job, inputs[:2], folder, model=model, overwrite=True) == [
        *("kept", "done")
    ]
    found = tifffile.imread(folder / "photo 0_refined.tif")
    np.testing.assert_array_equal(found, labels)


def test_edits_of_results_that_were_not_noted_any_more_are_kept(
    out, job, inputs, model
):
    """Killed after all files had their places, and before that was noted."""
    journal = out / ".s2clip" / "journal.jsonl"
    journal.write_text('{"event": "begin", "name": "photo 0", "ours": true}\n')
    paint(out)
    assert states(job, inputs[:1], out, model=model) == ["kept"]
    paint(out)  # as it was
    assert states(job, inputs[:1], out, model=model) == ["done"]


def test_an_unfinished_job_hides_no_results(out, job, inputs, model):
    before = read_entries(out)
    with Journal(out, brighter(job)) as journal:
        journal.begin(inputs[0])
        journal.begin(inputs[0])  # and once more
    assert len(finished_images(out)) == 2
    # They are of the first job still.
    other = replace(job, classes=ClassSet(["night", "day"]))
    assert states(other, inputs[:1], out, model=model) == ["failed"]
    labels = paint(out)
    opened = FinishedImage(out, "photo 0")
    about = json.loads(opened.path(".json").read_text())
    opened.path(".json").write_text(json.dumps(about | {"edited": ["refined"]}))
    assert len(finished_images(out)) == 2
    again = states(brighter(job), inputs[:1], out, model=model, overwrite=True)
    assert again == ["kept"]
    np.testing.assert_array_equal(tifffile.imread(out / "photo 0_refined.tif"), labels)
    with Journal(out, job) as journal:
        journal.kept(inputs[0])
    assert read_entries(out) == before


def left_over(out: Path, **maps: str) -> Path:
    """What a killed job has not placed any more: its description at least."""
    folder = out / f"{TEMPORARY}abc"
    folder.mkdir()
    (folder / "new.json").write_text(json.dumps({"maps": maps}))
    return folder


def test_half_replaced_results_are_not_listed(out, job, inputs, model):
    with Journal(out, brighter(job)) as journal:
        journal.begin(inputs[0])
    left_over(out, refined=digest_of(paint(out)))  # a file of the killed job
    assert [image.name for image in finished_images(out)] == ["photo 1"]
    assert [one.name for one in list_results(out)] == ["photo 1"]
    # Nor when a job over another image has tidied the folder.
    assert states(job, inputs[1:2], out, model=model) == ["skipped"]
    assert not list(out.glob(f"{TEMPORARY}*"))
    assert [image.name for image in finished_images(out)] == ["photo 1"]
    assert states(brighter(job), inputs[:1], out, model=model, overwrite=True) == [
        "done"
    ]
    assert len(finished_images(out)) == 2


def test_what_another_program_edits_of_unfinished_jobs_stays_in_the_lists(
    out, job, inputs, model
):
    before = read_entries(out)
    with Journal(out, brighter(job)) as journal:
        journal.begin(inputs[0])
    paint(out)
    assert len(finished_images(out)) == 2
    assert states(brighter(job), inputs[:1], out, model=model, overwrite=True) == [
        "kept"
    ]
    assert read_entries(out) == before


def test_removed_results_bind_nobody(out, job, inputs, model):
    for path in out.glob("photo 0*"):
        path.unlink()
    with Journal(out, brighter(job)) as journal:
        journal.begin(inputs[0])
    assert "before" not in read_entries(out)["photo 0"]
    file = out / "photo 0_refined.tif"
    tifffile.imwrite(file, np.ones((9, 12), np.uint16))
    left_over(out, refined=digest_of(tifffile.imread(file)))
    assert states(brighter(job), inputs[:1], out, model=model) == ["done"]


def test_a_failed_image_with_whole_results_is_listed_once(out, job, inputs):
    with Journal(out, brighter(job)) as journal:
        journal.failed(inputs[0], "photo 0: it could not be read")
    assert [(one.name, one.error) for one in list_results(out)] == [
        ("photo 0", ""),
        ("photo 1", ""),
    ]
    summary, _ = write_summary(out, job.classes, {})
    assert (summary.images, summary.failed) == (2, 0)


def test_half_an_import_over_results_is_no_edit(out, job, inputs, model):
    """Killed, and then the folder is tidied by a job over another image."""
    left_over(out, refined=digest_of(paint(out)))
    assert states(job, inputs[1:2], out, model=model, again=True) == ["done"]
    assert [image.name for image in finished_images(out)] == ["photo 1"]
    assert states(job, inputs[:1], out, model=model) == ["done"]


def test_edits_of_imports_are_kept_though_a_job_began_to_replace_them(
    out, job, inputs, model, tmp_path
):
    folder = tmp_path / "imported"
    for item in FolderItems(finished_images(out)):
        write_item(item, folder)
    with Journal(folder, job) as journal:
        journal.begin(inputs[0])
        journal.placed("photo 0", {"coarse": "of the job"})
    paint(folder)
    options = {"model": model, "overwrite": True}
    assert states(job, inputs[:1], folder, **options) == ["kept"]


def test_leftovers_are_no_images(out, tmp_path):
    folder = tmp_path / "imported"
    for item in FolderItems(finished_images(out)):
        write_item(item, folder)
    left = left_over(folder)
    (left / "new_refined.tif").write_bytes(
        (folder / "photo 0_refined.tif").read_bytes()
    )
    names = [image.name for image in finished_images(folder)]
    assert names == ["photo 0", "photo 1"]


def test_a_file_that_cannot_take_its_place_does_not_end_it_all(
    out, job, inputs, model, monkeypatch
):
    """As on Windows, where another program has it open."""
    real, count = Path.replace, 0

    def fails(self: Path, target: Any) -> Any:
        nonlocal count
        count += self.parent.name.startswith(TEMPORARY)
        if self.parent.name.startswith(TEMPORARY) and count == 3:
            raise PermissionError(errno.EACCES, "Permission denied", str(target))
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fails)
        assert states(brighter(job), inputs[:1], out, model=model, overwrite=True) == [
            "failed"
        ]
    assert list(out.glob(f"{TEMPORARY}*"))
    # A job over another image tidies the folder.
    assert states(brighter(job), inputs[1:2], out, model=model, overwrite=True) == [
        "done"
    ]
    assert not list(out.glob(f"{TEMPORARY}*"))
    assert states(brighter(job), inputs[:1], out, model=model, overwrite=True) == [
        "done"
    ]


def test_nothing_that_could_take_its_place_leaves_nothing(
    out, job, inputs, model, monkeypatch
):
    real = Path.replace

    def fails(self: Path, target: Any) -> Any:
        if self.parent.name.startswith(TEMPORARY):
            raise PermissionError(errno.EACCES, "Permission denied", str(target))
        return real(self, target)

    before = read_entries(out)
    monkeypatch.setattr(Path, "replace", fails)
    assert states(brighter(job), inputs[:1], out, model=model, overwrite=True) == [
        "failed"
    ]
    assert not list(out.glob(f"{TEMPORARY}*"))
    assert read_entries(out) == before


def test_what_a_lost_worker_places_later_is_no_edit(out, job, inputs, model):
    """The cluster gave the image up, and the worker goes on all the same."""
    from distributed.client import FutureCancelledError

    class Lost:
        def result(self) -> None:
            raise FutureCancelledError("key", "reason")

    class Losing:
        in_work = 1

        def line(self, *_: Any) -> Losing:
            return self

        def start(self, *_: Any) -> _Remote:
            return _Remote(Lost())

        def stop(self) -> None:
            pass

        def close(self) -> None:
            pass

    options: dict[str, Any] = {"overwrite": True}
    assert states(brighter(job), inputs[:1], out, cluster=Losing(), **options) == [
        "failed"
    ]
    assert read_entries(out)["photo 0"]["event"] == "failed"
    assert len(finished_images(out)) == 2
    labels = paint(out)
    about = json.loads((out / "photo 0.json").read_text())
    about["maps"]["refined"] = digest_of(labels)
    (out / "photo 0.json").write_text(json.dumps(about))
    assert len(finished_images(out)) == 2
    assert states(brighter(job), inputs[:1], out, model=model, **options) == ["done"]
