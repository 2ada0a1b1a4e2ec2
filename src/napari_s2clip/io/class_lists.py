"""Class lists in files: our own, and those of COCO, YOLO and plain text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..classes import ClassEntry, ClassSet
from .atomic import replace_text

__all__ = [
    "classes_from_dict",
    "names_by_number",
    "parse_yaml",
    "read_classes",
    "write_classes",
]

_YAML = {".yaml", ".yml"}


def read_classes(path: str | Path) -> ClassSet:
    """Read a class list.

    Parameters
    ----------
    path : str or Path
        ``.json``: what `write_classes` wrote, the ``categories`` of a COCO file,
        ``id2label`` of a Hugging Face configuration, or a list of names. ``.yaml``: the
        same, or ``names`` of YOLO's ``data.yaml``. Anything else: one name a line, such
        as YOLO's ``classes.txt``; ``car | automobile`` gives a synonym.

    Returns
    -------
    ClassSet
        From our own files with ids and thresholds. From others in the order of the
        ids, where there are any; gaps close up, and an entry for the background, number
        0 of that name, is left out.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it holds no class list; the message names the file and the field.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: it is no text; save it as UTF-8") from None
    suffix = path.suffix.casefold()
    try:
        if suffix == ".json":
            return _from_data(json.loads(text))
        if suffix in _YAML:
            return _from_data(parse_yaml(text))
        lines = (line.partition("#")[0].strip() for line in text.splitlines())
        return ClassSet([line for line in lines if line])
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: it is no JSON ({error})") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def write_classes(
    path: str | Path, classes: ClassSet, *, overwrite: bool = False
) -> None:
    """Write a class list that `read_classes` gives back.

    Parameters
    ----------
    path : str or Path
        Its suffix, ``.json`` or ``.yaml``, says which.
    classes : ClassSet
    overwrite : bool

    Raises
    ------
    FileExistsError
        Unless ``overwrite``.
    ValueError
        If the suffix is another one.
    """
    path = Path(path)
    suffix = path.suffix.casefold()
    content = classes.to_dict()
    if suffix == ".json":
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    elif suffix in _YAML:
        import yaml

        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    else:
        raise ValueError(f"{path}: name it .json or .yaml")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path}: it exists; overwrite it or choose another name")
    replace_text(path, text)


def classes_from_dict(content: Any) -> ClassSet:
    """The classes that `ClassSet.to_dict` described, from data that may be anything.

    Raises
    ------
    ValueError
        If it describes no classes; the message names the field.
    """
    if not isinstance(content, Mapping) or "classes" not in content:
        raise ValueError("classes: they are missing")
    return _from_data(content)


def names_by_number(content: Any, field: str) -> dict[int, str]:
    """Names of classes by their numbers, from a list or a mapping that may be anything.

    Raises
    ------
    ValueError
        If it is neither; the message begins with ``field`` or the number.
    """
    if isinstance(content, list):
        return _texts(dict(enumerate(content)))
    if isinstance(content, Mapping):
        return _texts({_whole(key, field): name for key, name in content.items()})
    raise ValueError(f"{field}: it is no list of names")


def parse_yaml(text: str) -> Any:
    """The content of YAML, or `ValueError` with one line."""
    import yaml

    # Ten times as fast where PyYAML was built with libyaml.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(text, loader)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"it is no YAML ({reason})") from None


def _from_data(content: Any) -> ClassSet:
    if isinstance(content, Mapping):
        if "classes" in content:
            entries = [
                _own(entry, i) for i, entry in enumerate(_list(content, "classes"))
            ]
            background = content.get("background") or []
            if not isinstance(background, list):
                raise ValueError("background: it is no list of words")
            return ClassSet(entries, background)
        if "categories" in content:
            return _numbered(_coco(_list(content, "categories")))
        for field in ("names", "id2label"):
            if field in content:
                return _named(content[field], field)
        raise ValueError(
            "it has none of classes, categories, names and id2label; give a class list"
        )
    return _named(content, "the list")


def _list(content: Mapping[str, Any], field: str) -> list[Any]:
    found = content[field]
    if not isinstance(found, list):
        raise ValueError(f"{field}: it is no list")
    return found


def _own(entry: Any, index: int) -> str | ClassEntry:
    where = f"classes[{index}]"
    if isinstance(entry, str):
        return entry
    if not isinstance(entry, Mapping):
        raise ValueError(f"{where}: it is no name and no entry")
    if "name" not in entry:
        raise ValueError(f"{where}: name: it is missing")
    synonyms = entry.get("synonyms") or []
    if not isinstance(synonyms, list):
        raise ValueError(f"{where}: synonyms: they are no list")
    threshold = entry.get("threshold")
    return ClassEntry(
        entry["name"],
        tuple(synonyms),
        entry.get("colour") or entry.get("color") or "",
        entry.get("id"),
        0.0 if threshold is None else threshold,
    )


def _coco(categories: list[Any]) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for index, entry in enumerate(categories):
        if not isinstance(entry, Mapping):
            raise ValueError(f"categories[{index}]: it is no entry")
        for field in ("id", "name"):
            if field not in entry:
                raise ValueError(f"categories[{index}]: {field}: it is missing")
        number = _whole(entry["id"], f"categories[{index}]: id")
        if number in found:
            raise ValueError(f"categories[{index}]: id: {number} is there twice")
        found[number] = entry["name"]
    return found


def _named(content: Any, field: str) -> ClassSet:
    return _numbered(names_by_number(content, field))


def _numbered(names: dict[int, Any]) -> ClassSet:
    kept = [
        names[number]
        for number in sorted(_texts(names))
        if not (number == 0 and names[0].strip().casefold() == "background")
    ]
    return ClassSet(kept)


def _texts(names: dict[int, Any]) -> dict[int, str]:
    for number, name in names.items():
        if not isinstance(name, str):
            raise ValueError(f"name of {number}: {name!r} is no text")
    return names


def _whole(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError(f"{where}: {value!r} is no whole number")
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"{where}: {value!r} is no whole number") from None
