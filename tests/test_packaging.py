"""What the distribution promises: light imports, a core without Qt, a manifest."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import npe2
import pytest

import napari_s2clip

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "napari-s2clip"
PACKAGE = Path(napari_s2clip.__file__).parent
MANIFEST = PACKAGE / "napari.yaml"
REPOSITORY = Path(__file__).resolve().parent.parent
OPTIONAL = ('extra == "sd"', 'extra == "ome-zarr"', 'extra == "distributed"')
"""Of what is imported only where it is asked for."""

QT = {"PyQt5", "PyQt6", "PySide2", "PySide6", "qtpy", "superqt"}
GUI = {"napari", "magicgui", "vispy"} | QT
MAX_WEIGHTS = 15 * 2**20  # bytes in the wheel

SOURCES = sorted(PACKAGE.rglob("*.py"))


def dotted(path: Path) -> str:
    """Name of the module in a file: ``_qt.picture``, ``demo``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_gui(path: Path) -> bool:
    return path.relative_to(PACKAGE).parts[0] in {"_qt", "layers"}


CORE = [path for path in SOURCES if not is_gui(path)]


def imports(node: ast.AST, *, into_functions: bool) -> Iterator[str]:
    """Yield the imported modules, absolute or with dots, but those for types only."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            module = "." * child.level + (child.module or "")
            yield module
            if child.module is None:
                yield from (module + alias.name for alias in child.names)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        elif into_functions or not isinstance(
            child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
        ):
            yield from imports(child, into_functions=into_functions)


def imports_of(path: Path, *, into_functions: bool = True) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return set(imports(tree, into_functions=into_functions))


def loaded_after(statements: str) -> set[str]:
    """Top-level modules in a fresh interpreter after some statements."""
    code = f"{statements}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return {name.split(".")[0] for name in json.loads(run.stdout.splitlines()[-1])}


def test_importing_the_package_is_light() -> None:
    loaded = loaded_after("import napari_s2clip")
    assert not loaded & (GUI | {"torch", "cv2", "pandas", "skimage"})


@pytest.mark.parametrize("name", ["batch", "datasets", "io.open_image"])
def test_jobs_and_datasets_are_light_until_they_are_used(name: str) -> None:
    loaded = loaded_after(f"import napari_s2clip.{name}")
    assert not loaded & (GUI | {"torch", "cv2", "distributed", "ome_zarr"})


def test_the_command_line_answers_help_without_torch_and_gui() -> None:
    loaded = loaded_after(
        "from napari_s2clip.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass"
    )
    assert not loaded & (GUI | {"torch"})


def test_the_pipeline_is_imported_without_the_compiler_of_torch() -> None:
    # It alone takes longer than all the rest.
    loaded_after(
        "import sys, napari_s2clip.pipeline\n"
        "assert 'torch._dynamo' not in sys.modules, 'imported'"
    )


def test_core_modules_run_without_gui() -> None:
    names = [
        f"napari_s2clip.{dotted(path)}".rstrip(".")
        for path in CORE
        if path.stem != "__main__"
    ]
    assert "napari_s2clip.pipeline" in names
    assert "napari_s2clip.cli" in names
    lines = "\n".join(f"importlib.import_module({name!r})" for name in names)
    loaded = loaded_after(f"import importlib\n{lines}")
    assert not loaded & GUI


@pytest.mark.parametrize("path", CORE, ids=dotted)
def test_core_modules_do_not_name_the_gui(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports_of(path)} & GUI


@pytest.mark.parametrize("path", CORE, ids=dotted)
def test_core_modules_reach_the_gui_only_when_asked(path: Path) -> None:
    # A function may: `demo --window` opens a window, which is what it is for.
    names = imports_of(path, into_functions=False)
    assert not [n for n in names if re.fullmatch(r"\.+(_qt|layers)(\..*)?", n)]


def test_opencv_is_imported_in_one_place() -> None:
    found = {
        dotted(path)
        for path in SOURCES
        if any(name.split(".")[0] == "cv2" for name in imports_of(path))
    }
    assert found == {"_opencv"}


def test_no_module_imports_a_qt_binding() -> None:
    for path in SOURCES:
        names = {name.split(".")[0] for name in imports_of(path)}
        assert not names & (QT - {"qtpy", "superqt"}), path


def test_manifest_is_valid_and_its_commands_can_be_imported() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "npe2", "validate", str(MANIFEST), "--imports"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_manifest_has_the_name_of_the_distribution() -> None:
    manifest = npe2.PluginManifest.from_file(MANIFEST)
    assert manifest.name == NAME
    commands = manifest.contributions.commands or []
    assert commands
    assert all(command.id.startswith(f"{NAME}.") for command in commands)


def test_distribution_declares_manifest_and_program() -> None:
    entry_points = metadata.distribution(NAME).entry_points
    (plugin,) = entry_points.select(group="napari.manifest")
    assert (plugin.name, plugin.value) == (NAME, "napari_s2clip:napari.yaml")
    (program,) = entry_points.select(group="console_scripts")
    assert program.name == NAME
    assert callable(program.load())


def test_distribution_lets_the_user_choose_qt_and_newer_releases() -> None:
    required = metadata.requires(NAME) or []
    base = [line for line in required if "extra ==" not in line]
    assert base
    for line in base:
        name = re.split(r"[^\w.-]", line)[0]
        assert name not in QT - {"qtpy", "superqt"}, line
        assert "[" not in line, line
        assert not re.search(r"<|==|~=", line), line


def test_what_is_imported_is_declared() -> None:
    home = metadata.packages_distributions()
    declared = {
        re.split(r"[^\w.-]", line)[0].lower().replace("_", "-")
        for line in metadata.requires(NAME) or []
        if "extra ==" not in line or line.endswith(OPTIONAL)
    }
    imported = {
        name.split(".")[0]
        for path in SOURCES
        for name in imports_of(path)
        if not name.startswith((".", "napari_s2clip"))
    }
    for module in imported - sys.stdlib_module_names:
        names = {name.lower().replace("_", "-") for name in home.get(module, [module])}
        assert names & declared, f"{module} is imported and not among the dependencies"


def test_distribution_is_found_by_the_hub() -> None:
    about = metadata.metadata(NAME)
    assert "Framework :: napari" in about.get_all("Classifier", [])
    assert about["License-Expression"] == "BSD-3-Clause"
    # The hub splits "label, address" at the first comma and space.
    urls = [url.split(", ") for url in about.get_all("Project-URL", [])]
    assert all(len(url) == 2 for url in urls)
    assert any(re.fullmatch(r"https://github.com/[\w-]+/[\w-]+/?", u) for _, u in urls)


def test_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()


def test_demo_weights_are_there_and_small() -> None:
    files = sorted((PACKAGE / "demo" / "weights").iterdir())
    assert {"clip.safetensors", "dino.safetensors", "sam.safetensors"} <= {
        file.name for file in files
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.name)
    assert packed.tell() <= MAX_WEIGHTS


def test_readme_shows_pictures_that_exist() -> None:
    # The hub shows absolute addresses only, and those break without notice.
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    addresses = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", readme)
    prefix = "https://raw.githubusercontent.com/napari-s2clip/napari-s2clip/main/"
    for address in addresses:
        assert address.startswith(prefix)
        assert (REPOSITORY / address.removeprefix(prefix)).is_file(), address


def test_readme_commands_are_the_ones_that_are_run() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^python -m pip install tox && .*$", readme, re.MULTILINE)
    main, tests = commands
    workflow = REPOSITORY / ".github" / "workflows" / "ci.yml"
    assert f"run: {main}\n" in workflow.read_text(encoding="utf-8")
    script = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    assert script.splitlines()[-1] == tests
