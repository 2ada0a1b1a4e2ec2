"""The arrows between the modules, as docs/architecture.md draws them."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import napari_s2clip

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(napari_s2clip.__file__).parent

# Every module stands on a floor and may use those on its own floor and below.
FLOORS: tuple[tuple[str, ...], ...] = (
    # Plain data; the demo models' sizes and words are data too.
    (
        *(
            "",
            "_version",
            "_opencv",
            "_triton",
            "class_presets",
            "class_table",
            "classes",
            "closing",
            "edits",
            "errors",
            "image",
            "method_settings",
            "methods",
            "progress",
            "results",
        ),
        *(
            "time_left",
            "settings",
            "sizes",
            "versions",
            "demo",
            "demo.architectures",
            "demo.vocabulary",
        ),
    ),
    ("store",),
    ("models",),
    ("text", "features", "coarse", "regions", "refine", "region_table"),
    ("classification", "completion"),
    ("pipeline", "dense", "live", "loaded", "provenance", "recall", "stages"),
    (
        *("io", "batch", "evaluation"),
        *("planes", "maps", "tiles", "targets"),
        *("prompting", "prompt_engine"),
        "review",
        "layers",
        *("remembered", "user_memory"),
        *("io", "batch", "evaluation", "planes", "maps", "tiles", "targets", "layers"),
        *("prompting", "prompt_edits", "prompt_engine"),
        *("demo.scenes", "demo.textures", "sample_data"),
        "datasets",
    ),
    ("_qt", "cli", "__main__", "demo.*"),
)


def floor(module: str) -> int:
    """Floor of a module: that of its longest name in the list."""
    parts = module.split(".")
    for name in (
        module,
        *(".".join([*parts[:n], "*"]) for n in range(len(parts) - 1, 0, -1)),
        parts[0],
    ):
        for number, names in enumerate(FLOORS):
            if name in names:
                return number
    raise AssertionError(f"{module}: give the module a floor in {__file__}")


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """Walk the tree, leaving out what is imported for types only."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from walk(child)


def uses(module: str) -> set[str]:
    """Names of the package's modules that a module imports, anywhere in it."""
    path = MODULES[module]
    home = [part for part in module.split(".") if part]
    if path.stem != "__init__":
        home.pop()
    found: set[str] = set()
    for node in walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = (node.module or "").split(".") if node.module else []
            if node.level:
                base = ["napari_s2clip", *home[: len(home) - node.level + 1], *base]
            names = [[*base, alias.name] for alias in node.names]
        else:
            continue
        for root, *rest in names:
            if root == "napari_s2clip":
                whole, parent = ".".join(rest), ".".join(rest[:-1])
                found.add(whole if whole in MODULES else parent)
    return found - {module}


@pytest.mark.parametrize("module", MODULES, ids=lambda name: name or "napari_s2clip")
def test_arrows_point_down(module: str) -> None:
    above = {used for used in uses(module) if floor(used) > floor(module)}
    assert not above


def test_there_are_no_cycles() -> None:
    graph = {module: uses(module) for module in MODULES}
    order = list(TopologicalSorter(graph).static_order())
    assert set(order) >= set(MODULES)


def test_the_test_sees_the_imports() -> None:
    assert {"classes", "progress", "loaded", "completion"} <= uses("pipeline")
    assert floor("demo.architectures") < floor("models.load") < floor("pipeline")
    assert floor("pipeline") < floor("demo.command") == floor("demo.train.clip")
