import logging

import pytest
import torch

from napari_s2clip.models.memory import free_memory, in_chunks, is_out_of_memory

CPU = torch.device("cpu")


def test_free_memory_of_the_cpu_is_some():
    assert free_memory(CPU) > 2**20


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.cuda.OutOfMemoryError("x"), True),
        (MemoryError(), True),
        (RuntimeError("MPS backend out of memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("shapes do not fit"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_means_out_of_memory(error, expected):
    assert is_out_of_memory(error) == expected


def run_with_room_for(room, total, chunk):
    asked, steps = [], []

    def run(part):
        asked.append((part.start, part.stop))
        if part.stop - part.start > room:
            raise RuntimeError("out of memory")
        return list(range(part.start, part.stop))

    found = in_chunks(run, total, chunk, CPU, "item", lambda d, t: steps.append(d))
    return [i for part in found for i in part], asked, steps


def test_all_items_in_order():
    items, asked, steps = run_with_room_for(9, 7, 3)
    assert items == list(range(7))
    assert asked == [(0, 3), (3, 6), (6, 7)]
    assert steps == [0, 3, 6, 7]


def test_halved_when_memory_runs_out(caplog):
    with caplog.at_level(logging.WARNING):
        items, asked, _ = run_with_room_for(2, 10, 8)
    assert items == list(range(10))
    assert asked[:4] == [(0, 8), (0, 4), (0, 2), (2, 4)]
    assert "memory ran out; going on with 4 at a time (item)" in caplog.text


def test_not_even_one_fits():
    with pytest.raises(
        torch.cuda.OutOfMemoryError, match="does not suffice for one item"
    ):
        run_with_room_for(0, 3, 2)


def test_other_errors_pass():
    def run(part):
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        in_chunks(run, 3, 2, CPU, "item")


def test_nothing_to_do():
    assert run_with_room_for(1, 0, 4)[0] == []
