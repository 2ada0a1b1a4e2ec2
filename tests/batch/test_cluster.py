"""Jobs on a local cluster: real processes, one of which dies."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from distributed import KilledWorker
from distributed.client import FutureCancelledError
from PIL import Image

from napari_s2clip import ClassSet, Settings
from napari_s2clip.batch import Cluster, ClusterError, Input, Job, run_job, worker
from napari_s2clip.batch.cluster import _Remote
from napari_s2clip.batch.edited import EditedError, Guard, stamps_of
from napari_s2clip.batch.journal import read_entries
from napari_s2clip.batch.worker import Models
from napari_s2clip.demo.scenes import draw_scene
from napari_s2clip.io.map_files import digest_of
from napari_s2clip.io.results import MAPS
from napari_s2clip.progress import Cancelled, CancelToken

pytestmark = [
    # Workers and the loop of dask close at the end of the module.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
IMAGES = 8
JOB = Job(
    ClassSet(["red circle", "grass", "brick"]),
    Settings(short_side=64),
    device="cpu",
    pictures=False,
)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> list[Input]:
    folder = tmp_path_factory.mktemp("in")
    found = []
    for number in range(IMAGES):
        scene = draw_scene(96, np.random.default_rng(number))
        path = folder / f"{number}.png"
        Image.fromarray(scene.image).save(path)
        found.append(Input(path, f"deep/{number}" if number % 2 else str(number)))
    return found


@pytest.fixture(scope="module")
def single(inputs, tmp_path_factory) -> Path:
    """What one process finds, with one thread as the workers."""
    import torch

    out = tmp_path_factory.mktemp("single")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    outcomes = list(run_job(JOB, inputs, out))
    torch.set_num_threads(threads)
    assert [outcome.state for outcome in outcomes] == ["done"] * IMAGES
    return out


@pytest.fixture(scope="module")
def cluster():
    with Cluster(workers=2) as found:
        found.client.wait_for_workers(2, timeout=120)
        yield found


def assert_same(out: Path, single: Path, inputs) -> None:
    for item in inputs:
        for stage in MAPS:
            name = f"{item.name}_{stage}.tif"
            mine, its = (tifffile.imread(folder / name) for folder in (out, single))
            assert np.array_equal(mine, its), name
    done, reference = read_entries(out), read_entries(single)
    assert done.keys() == reference.keys()
    for name, entry in done.items():
        assert entry["event"] == "done"
        assert entry["maps"] == reference[name]["maps"]


def test_a_worker_that_dies_changes_nothing(cluster, inputs, single, tmp_path):
    out = tmp_path / "out"
    pids = cluster.client.run(os.getpid)
    assert len(pids) == 2
    outcomes = []
    for outcome in run_job(JOB, inputs, out, cluster=cluster):
        outcomes.append(outcome)
        if len(outcomes) == 2:
            os.kill(next(iter(pids.values())), signal.SIGKILL)
    assert [o.error for o in outcomes] == [""] * IMAGES
    assert [o.input for o in outcomes] == inputs
    assert_same(out, single, inputs)
    # Another one comes for it, which takes the next job too.
    cluster.client.wait_for_workers(2, timeout=120)
    assert len(cluster.client.run(os.getpid)) == 2
    assert [o.state for o in run_job(JOB, inputs, out, cluster=cluster)] == (
        ["skipped"] * IMAGES
    )


def test_workers_keep_their_memory_and_share_the_cores(cluster):
    found = cluster.client.run(lambda: dict(os.environ))
    for environment in found.values():
        assert "MALLOC_TRIM_THRESHOLD_" not in environment
        share = max(1, (os.cpu_count() or 1) // 2)
        assert environment["OMP_NUM_THREADS"] in {str(share), _given("OMP_NUM_THREADS")}


def test_nothing_is_open_to_other_computers(cluster):
    server = cluster._local.scheduler.http_server
    addresses = {socket.getsockname()[0] for socket in server._sockets.values()}
    assert addresses == {"127.0.0.1"}


def _given(name):
    """What is set for this program is for its children too."""
    return os.environ.get(name)


def test_a_bad_image_is_reported_and_passed(cluster, inputs, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_text("no image")
    gone = tmp_path / "gone.png"
    several = [Input(bad, "bad"), inputs[0], Input(gone, "gone")]
    reports = []
    outcomes = list(
        run_job(
            JOB, several, tmp_path / "out", cluster=cluster, progress=reports.append
        )
    )
    assert [o.state for o in outcomes] == ["failed", "done", "failed"]
    assert outcomes[0].error.startswith(f"{bad}: not an image file")
    assert outcomes[2].error == f"{gone}: there is no such file"
    assert reports[-1].finished == 3


def test_another_job_has_its_own_settings(cluster, inputs, tmp_path):
    job = replace(JOB, classes=ClassSet(["water"]))
    (outcome,) = run_job(job, inputs[:1], tmp_path / "out", cluster=cluster)
    assert set(outcome.told["pixels"]) == {"0", "1"}


def test_cancel_takes_the_rest_back(cluster, inputs, tmp_path):
    cancel = CancelToken()
    images = run_job(JOB, inputs, tmp_path / "out", cluster=cluster, cancel=cancel)
    next(images)
    cancel.cancel()
    with pytest.raises(Cancelled):
        list(images)
    outcomes = list(run_job(JOB, inputs, tmp_path / "out", cluster=cluster))
    assert {o.state for o in outcomes} <= {"skipped", "done"}


def test_a_scheduler_is_found_by_its_address(cluster, inputs, tmp_path):
    address = cluster.client.scheduler.address
    with Cluster(address=address) as other:
        (outcome,) = run_job(JOB, inputs[:1], tmp_path / "out", cluster=other)
    assert outcome.state == "done"
    # It is not ours to end.
    assert len(cluster.client.run(os.getpid)) == 2


def test_what_cannot_be_used_is_one_sentence(monkeypatch):
    with pytest.raises(ValueError, match="workers: give their number"):
        Cluster()
    with pytest.raises(ValueError, match="workers: give their number"):
        Cluster(1, "tcp://127.0.0.1:1")
    with pytest.raises(ClusterError, match="nowhere: no scheduler answers"):
        Cluster(address="nowhere")
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"napari-s2clip\[distributed\]"):
        Cluster(1)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (KilledWorker("t", None, 3), "the workers that took it died"),
        (FutureCancelledError("t", "lost"), "the cluster gave it up"),
        (MemoryError(), "there is not enough memory"),
    ],
)
def test_what_the_cluster_loses_is_a_failed_image(error, sentence, inputs, tmp_path):
    class Lost:
        def result(self):
            raise error

    class Losing:
        in_work = 1

        def line(self, *_):
            return self

        def start(self, item, guard):
            return _Remote(Lost())

        def stop(self):
            raise AssertionError

        def close(self):
            pass

    (outcome,) = run_job(JOB, inputs[:1], tmp_path / "out", cluster=Losing())
    assert outcome.state == "failed"
    assert sentence in outcome.error
    assert read_entries(tmp_path / "out")["0"]["event"] == "failed"


def test_a_worker_keeps_what_was_edited_meanwhile(
    single, inputs, tmp_path, monkeypatch
):
    """The worker's part without a cluster: somebody paints while it computes."""
    out = tmp_path / "out"
    shutil.copytree(single, out)
    path = out / "0_refined.tif"
    labels = tifffile.imread(path) * 0
    held = Models(JOB.to_dict(), 0)
    held.setup(SimpleNamespace(name="a"))
    monkeypatch.setattr(
        worker, "get_worker", lambda: SimpleNamespace(plugins={worker.PLUGIN: held})
    )
    real = worker.segment

    def segment(*args, **options):
        tifffile.imwrite(path, labels)
        return real(*args, **options)

    monkeypatch.setattr(worker, "segment", segment)
    guard = Guard((read_entries(out)["0"]["maps"],), stamps_of(out, inputs[0]))
    state, told, problem = worker.work(inputs[0], out, guard)
    assert (state, problem) == ({}, "")
    assert "was changed while the job was under way" in told["kept"]
    assert np.array_equal(tifffile.imread(path), labels)
    error = _Remote(SimpleNamespace(result=lambda: (state, told, problem))).exception()
    assert isinstance(error, EditedError)


def test_what_a_worker_placed_before_it_died_is_no_edit(single, inputs, tmp_path):
    """Another worker tries again: the first has placed some files, or all."""
    out = tmp_path / "out"
    shutil.copytree(single, out)
    item = inputs[0]
    guard = Guard((read_entries(out)["0"]["maps"],), stamps_of(out, item))
    guard.check(out, item)
    path, about = out / "0_refined.tif", json.loads((out / "0.json").read_text())
    tifffile.imwrite(path, tifffile.imread(path) * 0)
    with pytest.raises(EditedError):
        guard.check(out, item)
    digest = digest_of(tifffile.imread(path))
    left = out / ".napari-s2clip-abc"
    left.mkdir()
    (left / "new.json").write_text(json.dumps({"maps": {"refined": digest}}))
    guard.check(out, item)
    shutil.rmtree(left)
    about["maps"]["refined"] = digest
    (out / "0.json").write_text(json.dumps(about))
    guard.check(out, item)
    # But for decisions of somebody who has looked through it.
    (out / "0.json").write_text(json.dumps({**about, "edited": [], "reviewed": True}))
    with pytest.raises(EditedError, match=r"0\.json was changed"):
        guard.check(out, item)


def test_a_folder_may_be_relative(cluster, inputs, single, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcomes = list(run_job(JOB, inputs[:2], "out", cluster=cluster))
    assert [o.error for o in outcomes] == ["", ""]
    assert read_entries(Path("out"))["0"]["files"] == read_entries(single)["0"]["files"]
    outcomes = list(run_job(JOB, inputs[:2], "out", cluster=cluster))
    assert [o.state for o in outcomes] == ["skipped"] * 2
