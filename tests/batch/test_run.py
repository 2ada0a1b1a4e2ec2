import errno
import json
import shutil
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_s2clip import ClassSet
from napari_s2clip.batch import Input, JournalError, run_job
from napari_s2clip.batch.finished import finished_images
from napari_s2clip.batch.journal import Journal, read_entries
from napari_s2clip.io import results
from napari_s2clip.io.map_files import digest_of
from napari_s2clip.io.results import SUFFIXES
from napari_s2clip.progress import Cancelled, CancelToken

from .conftest import photo


def states(outcomes):
    return [(o.input.name, o.state) for o in outcomes]


def files(out: Path) -> set[str]:
    return {p.name for p in out.iterdir() if p.name != ".s2clip"}


def test_images_come_out_in_order_and_one_thread_has_the_model(
    job, inputs, model, tmp_path
):
    out = tmp_path / "out"
    seen = []
    outcomes = list(run_job(job, inputs, out, model=model, progress=seen.append))
    assert states(outcomes) == [(item.name, "done") for item in inputs]
    assert files(out) == {item.name + suffix for item in inputs for suffix in SUFFIXES}
    assert len(model.threads) == 1
    assert seen[-1].finished == seen[-1].total == 5
    assert seen[-1].computed == seen[-1].to_compute == 5
    assert seen[-1].rate > 0
    assert seen[-1].seconds_left == 0
    assert all(a.finished <= b.finished for a, b in pairwise(seen))
    told = outcomes[0].told
    assert told["pixels"] == {"0": 0, **_counts(inputs[0].path)}
    assert (told["height"], told["width"], told["planes"]) == (9, 12, 1)


def _counts(path):
    from PIL import Image

    red = np.asarray(Image.open(path))[..., 0]
    return {"1": int((red < 128).sum()), "2": int((red >= 128).sum())}


def test_what_is_done_is_not_done_again(job, inputs, model, tmp_path):
    out = tmp_path / "out"
    list(run_job(job, inputs[:3], out, model=model))
    before = {p: p.stat().st_mtime_ns for p in out.iterdir() if p.is_file()}
    outcomes = list(run_job(job, inputs, out, model=model))
    assert [o.state for o in outcomes] == ["skipped"] * 3 + ["done"] * 2
    assert len(model.seen) == 5
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert outcomes[0].told["regions"] == 2

    # Without anything to do no model is loaded.
    def no_model():
        raise AssertionError

    assert len(list(run_job(job, inputs, out, model=no_model))) == 5
    assert [o.state for o in run_job(job, inputs, out, model=model, again=True)] == (
        ["done"] * 5
    )


def test_a_changed_image_and_a_lost_file_are_done_again(job, inputs, model, tmp_path):
    out = tmp_path / "out"
    list(run_job(job, inputs, out, model=model))
    photo(inputs[1].path, 99)
    (out / "photo 3_refined.tif").unlink()
    outcomes = list(run_job(job, inputs, out, model=model))
    assert [o.state for o in outcomes] == [
        *("skipped", "done", "skipped", "done", "skipped")
    ]


def test_results_of_other_classes_stay_unless_asked(job, inputs, model, tmp_path):
    out = tmp_path / "out"
    list(run_job(job, inputs[:1], out, model=model))
    other = replace(job, classes=ClassSet(["night", "day"]))
    (outcome,) = run_job(other, inputs[:1], out, model=model)
    assert outcome.state == "failed"
    assert "results of other classes, models or settings" in outcome.error
    (outcome,) = run_job(other, inputs[:1], out, model=model, overwrite=True)
    assert outcome.state == "done"
    assert "night" in (out / "photo 0.json").read_text()


def test_files_of_others_stay_unless_asked(job, inputs, model, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "photo 0.json").write_text("mine")
    (outcome,) = run_job(job, inputs[:1], out, model=model)
    assert "photo 0.json exists already" in outcome.error
    # Having failed does not make the files ours.
    (outcome,) = run_job(job, inputs[:1], out, model=model)
    assert outcome.state == "failed"
    assert (out / "photo 0.json").read_text() == "mine"
    (outcome,) = run_job(job, inputs[:1], out, model=model, overwrite=True)
    assert outcome.state == "done"


@pytest.mark.parametrize("again", [{"again": True}, {"overwrite": True}])
def test_edited_labels_are_never_replaced(job, inputs, model, tmp_path, again):
    out = tmp_path / "out"
    list(run_job(job, inputs[:2], out, model=model))
    path = out / "photo 0_refined.tif"
    labels = tifffile.imread(path)
    labels[0, 0] = 3 - labels[0, 0]
    tifffile.imwrite(path, labels)
    # The other is only saved anew, by a program with other habits.
    same = out / "photo 1_refined.tif"
    tifffile.imwrite(same, tifffile.imread(same).astype(np.uint8))
    other = replace(job, classes=ClassSet(["night", "day"]))
    outcomes = list(run_job(other, inputs[:2], out, model=model, **again))
    assert outcomes[0].state == "kept"
    assert f"{path} was edited since it was written and is kept" in outcomes[0].error
    assert np.array_equal(tifffile.imread(path), labels)
    assert outcomes[1].state == "done"


def refined(out, number):
    return tifffile.imread(out / f"photo {number}_refined.tif")


def paint(out, number):
    """Turn all labels around, as somebody who corrects them."""
    tifffile.imwrite(out / f"photo {number}_refined.tif", 3 - refined(out, number))


@pytest.mark.parametrize("number", [0, 3])
def test_what_is_edited_while_a_job_runs_is_kept(job, inputs, model, tmp_path, number):
    """The image at hand, and one that comes later."""
    out = tmp_path / "out"
    list(run_job(job, inputs, out, model=model))
    before = read_entries(out)[f"photo {number}"]
    real = model.segment

    def segment(*args, **options):
        if len(model.seen) == 5:  # that is the first one
            paint(out, number)
        return real(*args, **options)

    model.segment = segment
    labels = 3 - refined(out, number)
    outcomes = list(run_job(job, inputs, out, model=model, again=True, in_work=1))
    states = ["done"] * 5
    states[number] = "kept"
    assert [outcome.state for outcome in outcomes] == states
    assert "was changed while the job was under way" in outcomes[number].error
    np.testing.assert_array_equal(refined(out, number), labels)
    # It is there as before.
    assert read_entries(out)[f"photo {number}"] == before
    assert len(finished_images(out)) == 5


def test_what_a_killed_job_has_half_replaced_is_not_edited(
    job, inputs, model, tmp_path
):
    """Some files are the new ones, the others lie in the folder for new files."""
    out = tmp_path / "out"
    list(run_job(job, inputs[:1], out, model=model))
    about = json.loads((out / "photo 0.json").read_text())
    paint(out, 0)
    (outcome,) = run_job(job, inputs[:1], out, model=model, again=True)
    assert outcome.state == "kept"
    left = out / ".napari-s2clip-abc"
    left.mkdir()
    for maps in ({}, {"refined": digest_of(refined(out, 0))}):
        (left / "new.json").write_text(json.dumps(about | {"maps": maps}))
        (outcome,) = run_job(job, inputs[:1], out, model=model, again=True)
        assert outcome.state == ("done" if maps else "kept")
        assert not left.exists()
        left.mkdir()
    (left / "new.json").write_text("{")
    paint(out, 0)
    (outcome,) = run_job(job, inputs[:1], out, model=model, again=True)
    assert outcome.state == "kept"


def test_what_was_half_replaced_is_known_though_the_next_try_fails(
    job, inputs, model, tmp_path
):
    out = tmp_path / "out"
    list(run_job(job, inputs[:1], out, model=model))
    with Journal(out, job) as journal:
        journal.begin(inputs[0])
    paint(out, 0)  # the killed job did
    left = out / ".napari-s2clip-abc"
    left.mkdir()
    about = {"maps": {"refined": digest_of(refined(out, 0))}}
    (left / "new.json").write_text(json.dumps(about))
    model.error = {2: MemoryError()}
    (outcome,) = run_job(job, inputs[:1], out, model=model, again=True)
    assert outcome.state == "failed"
    assert not left.exists()
    (outcome,) = run_job(job, inputs[:1], out, model=model, again=True)
    assert outcome.state == "done"


@pytest.mark.parametrize("error", [MemoryError(), Cancelled(), KeyboardInterrupt()])
def test_results_that_were_not_replaced_are_there_as_before(
    job, inputs, model, tmp_path, error
):
    out = tmp_path / "out"
    list(run_job(job, inputs[:3], out, model=model))
    before = read_entries(out)
    other = replace(job, contrast_limits=(0.0, 100.0))
    model.error = {4: error, 5: error, 6: error}
    outcomes = []
    with suppress(Cancelled, KeyboardInterrupt):
        outcomes += run_job(other, inputs[:3], out, model=model, overwrite=True)
    assert {o.state for o in outcomes} <= {"failed"}
    assert read_entries(out) == before
    assert len(finished_images(out)) == 3
    # And nobody replaces them who was not asked to.
    third = replace(job, contrast_limits=(0.0, 50.0))
    assert {o.state for o in run_job(third, inputs[:3], out, model=model)} == {"failed"}


def test_corrections_while_results_are_written_are_kept(
    job, inputs, model, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    list(run_job(job, inputs[:1], out, model=model))
    labels = 3 - refined(out, 0)
    real = results.draw_maps

    def draw(*args, **options):
        real(*args, **options)
        paint(out, 0)

    monkeypatch.setattr(results, "draw_maps", draw)
    (outcome,) = run_job(job, inputs[:1], out, model=model, again=True)
    assert outcome.state == "kept"
    np.testing.assert_array_equal(refined(out, 0), labels)
    assert not list(out.glob(".napari-s2clip-*"))


def test_one_bad_image_is_reported_and_passed(job, inputs, model, tmp_path):
    out = tmp_path / "out"
    inputs[1].path.write_text("no image")
    inputs[2].path.unlink()
    model.error = {2: RuntimeError("CUDA out of memory")}
    outcomes = list(run_job(job, inputs, out, model=model))
    assert [o.state for o in outcomes] == ["done", *["failed"] * 3, "done"]
    assert outcomes[1].error.startswith(f"{inputs[1].path}: not an image file")
    assert outcomes[2].error == f"{inputs[2].path}: there is no such file"
    assert outcomes[3].error == f"{inputs[3].path}: CUDA out of memory"
    assert read_entries(out)["photo 3"]["event"] == "failed"
    # What failed is tried again.
    photo(inputs[1].path)
    photo(inputs[2].path)
    assert [o.state for o in run_job(job, inputs, out, model=model)] == [
        *("skipped", "done", "done", "done", "skipped")
    ]


def test_a_bug_is_not_hidden_and_what_is_done_counts(job, inputs, model, tmp_path):
    out = tmp_path / "out"
    model.error = {3: ZeroDivisionError("a bug")}
    with pytest.raises(ZeroDivisionError):
        list(run_job(job, inputs, out, model=model))
    events = {name: e["event"] for name, e in read_entries(out).items()}
    assert events["photo 0"] == events["photo 1"] == "done"
    assert events["photo 2"] == "begin"
    model.error = {}
    outcomes = list(run_job(job, inputs, out, model=model))
    assert [o.state for o in outcomes][:3] == ["skipped", "skipped", "done"]
    assert all(o.state != "failed" for o in outcomes)


def test_cancel_stops_between_images(job, inputs, model, tmp_path):
    out = tmp_path / "out"
    cancel = CancelToken()
    images = run_job(job, inputs, out, model=model, in_work=1, cancel=cancel)
    outcomes = [next(images), next(images)]
    cancel.cancel()
    with pytest.raises(Cancelled):
        next(images)
    assert states(outcomes) == [("photo 0", "done"), ("photo 1", "done")]
    assert files(out) == {f"photo {i}{suffix}" for i in (0, 1) for suffix in SUFFIXES}
    assert len(list(run_job(job, inputs, out, model=model))) == 5


def test_whoever_stops_looking_leaves_a_sound_folder(job, inputs, model, tmp_path):
    out = tmp_path / "out"
    images = run_job(job, inputs, out, model=model)
    next(images)
    images.close()
    entries = read_entries(out)
    for name, entry in entries.items():
        if entry["event"] == "done":
            assert {f"{name}{s}" for s in SUFFIXES} <= files(out)
    assert next(o.state for o in run_job(job, inputs, out, model=model)) == "skipped"


def test_a_line_that_was_cut_off_counts_for_nothing(job, inputs, model, tmp_path):
    out = tmp_path / "out"
    list(run_job(job, inputs[:2], out, model=model))
    journal = out / ".s2clip" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-30])
    outcomes = list(run_job(job, inputs[:3], out, model=model))
    assert [o.state for o in outcomes] == ["skipped", "done", "done"]
    assert all(json.loads(x) for x in journal.read_text().splitlines()[-2:])
    assert [o.state for o in run_job(job, inputs[:3], out, model=model)] == (
        ["skipped"] * 3
    )


def test_two_programs_do_not_write_into_one_folder(job, inputs, model, tmp_path):
    out = tmp_path / "out"
    with (
        Journal(out, job),
        pytest.raises(JournalError, match=r"another program writes into it"),
    ):
        list(run_job(job, inputs, out, model=model))


def test_what_another_program_did_meanwhile_is_seen(job, inputs, model, tmp_path):
    out = tmp_path / "out"

    def load():
        list(run_job(job, inputs[:2], out, model=model))
        return model

    outcomes = list(run_job(job, inputs, out, model=load))
    assert [o.state for o in outcomes] == ["skipped"] * 2 + ["done"] * 3


def test_litter_of_a_killed_program_is_removed(job, inputs, model, tmp_path):
    out = tmp_path / "out"
    litter = out / ".napari-s2clip-abc"
    litter.mkdir(parents=True)
    (litter / "new.json").write_text("half")
    list(run_job(job, inputs, out, model=model))
    assert not litter.exists()


def test_inputs_are_never_replaced(job, model, tmp_path):
    one = photo(tmp_path / "a.png")
    other = photo(tmp_path / "A_coarse.png")
    inputs = [Input(one, "a"), Input(other, "A_coarse")]
    with pytest.raises(ValueError, match="would replace the input"):
        list(run_job(job, inputs, tmp_path, model=model))
    assert not model.seen


def test_an_unwritable_folder_is_an_error(job, inputs, model, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OSError, match="out"):
        list(run_job(job, inputs, tmp_path / "out", model=model))


def test_names_of_all_kinds(job, model, tmp_path):
    found = []
    for name in ("with space", "ünïcode 細胞", "x" * 200, "deep/in/it"):
        path = photo(tmp_path / "in" / f"{name.replace('/', '_')}.png")
        found.append(Input(path, name))
    outcomes = list(run_job(job, found, tmp_path / "out", model=model))
    assert [o.error for o in outcomes] == [""] * 4
    assert (tmp_path / "out" / "deep" / "in" / "it_refined.tif").exists()


def test_a_name_that_is_too_long_is_one_sentence(job, model, tmp_path):
    path = photo(tmp_path / "in.png")
    (outcome,) = run_job(job, [Input(path, "y" * 250)], tmp_path / "out", model=model)
    assert outcome.state == "failed"
    assert "too long" in outcome.error
    assert files(tmp_path / "out") == set()


def test_without_pictures(job, inputs, model, tmp_path):
    out = tmp_path / "out"
    list(run_job(replace(job, pictures=False), inputs[:1], out, model=model))
    assert not list(out.glob("*.png"))
    shutil.rmtree(out)
    with pytest.raises(ValueError, match="in_work"):
        list(run_job(job, inputs, out, model=model, in_work=0))


def test_a_full_disk_is_said_and_the_job_goes_on_later(
    job, inputs, model, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    write_map = results.write_map
    full = [True]

    def write(path, *arguments, **options):
        if full and path.name.endswith("_refined.tif"):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write_map(path, *arguments, **options)

    monkeypatch.setattr(results, "write_map", write)
    outcomes = list(run_job(job, inputs, out, model=model))
    assert {o.state for o in outcomes} == {"failed"}
    assert all("the disk is full; free some space" in o.error for o in outcomes)
    assert files(out) == set()
    full.clear()
    assert {o.state for o in run_job(job, inputs, out, model=model)} == {"done"}


def test_a_journal_that_cannot_be_written_ends_the_job(
    job, inputs, model, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    images = run_job(job, inputs, out, model=model, in_work=1)
    next(images)

    def fail(number):
        raise OSError(errno.EROFS, "Read-only file system", "journal.jsonl")

    with monkeypatch.context() as patch:
        patch.setattr("napari_s2clip.batch.journal.os.fsync", fail)
        with pytest.raises(OSError, match="Read-only"):
            list(images)
    assert next(o.state for o in run_job(job, inputs, out, model=model)) == "skipped"
