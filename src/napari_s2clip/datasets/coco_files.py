"""What both COCO formats share: parts of their JSON, written and read with care."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ..classes import ClassEntry, ClassSet
from ..io.atomic import replacing
from ..io.files import read_image
from .folders import part_of
from .format import SPLITS, DatasetError, Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "attributes_of",
    "categories",
    "class_set",
    "field",
    "image_path",
    "load",
    "number",
    "part_of_index",
    "pixels_of",
    "write_index",
]


def write_index(
    folder: Path,
    stem: str,
    records: Iterable[Record],
    kinds: list[dict[str, Any]],
) -> None:
    """Write ``annotations/STEM_SPLIT.json`` of every split, in one pass.

    Image and annotation ids count from 1 over all splits. Annotations are passed on
    as they come; only images are kept.
    """
    target = folder / "annotations"
    target.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        streams: dict[str, Any] = {}
        images: dict[str, list[dict[str, Any]]] = {}
        begun: set[str] = set()
        last = 0
        for image_id, record in enumerate(records, 1):
            split = record.split
            if split not in streams:
                new = stack.enter_context(replacing(target / f"{stem}_{split}.json"))
                streams[split] = stack.enter_context(
                    new.open("w", encoding="utf-8", newline="\n")
                )
                streams[split].write('{"annotations": [')
                images[split] = []
            images[split].append(
                {
                    "id": image_id,
                    "width": record.width,
                    "height": record.height,
                    "file_name": record.data["file_name"],
                }
            )
            for annotation in record.data["annotations"]:
                entry = {"image_id": image_id, **annotation}
                if "segments_info" not in annotation:
                    last += 1
                    entry = {"id": last, **entry}
                comma = "," if split in begun else ""
                begun.add(split)
                text = json.dumps(entry, ensure_ascii=False)
                streams[split].write(f"{comma}\n{text}")
        for split, stream in streams.items():
            rest = {"images": images[split], "categories": kinds}
            about = {"info": {"description": folder.name}, "licenses": [], **rest}
            stream.write("],\n" + json.dumps(about, ensure_ascii=False)[1:] + "\n")


def categories(classes: ClassSet) -> list[dict[str, Any]]:
    """The classes as categories, in their order, with their ids and colours."""
    return [
        {
            "id": entry.id,
            "name": entry.name,
            "supercategory": "",
            "color": list(bytes.fromhex(entry.colour[1:])),
        }
        for entry in classes
    ]


def load(path: Path, stem: str, key: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The indexes at a path: a file, or those in the folder of a dataset.

    Parameters
    ----------
    path : Path
    stem : str
        What their names begin with here.
    key : str
        What annotations have; files where they do not are passed in a folder.
    """
    if not path.is_dir():
        yield path, _json(path)
        return
    own = [path / "annotations" / f"{stem}_{split}.json" for split in SPLITS]
    files = [file for file in own if file.is_file()] or sorted(
        {
            *path.glob("annotations/*.json"),
            *path.glob("*.json"),
            *path.glob("*/_annotations.coco.json"),
        }
    )
    found = False
    for file in files:
        data = _json(file)
        entries = data.get("annotations")
        if not isinstance(entries, list) or "images" not in data:
            continue
        if all(isinstance(entry, Mapping) and key in entry for entry in entries):
            found = True
            yield file, data
    if not found:
        raise DatasetError(
            f"{path}: there is no COCO file whose annotations have {key}; give the file"
        )


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: it is no JSON ({error})") from error
    if not isinstance(data, dict):
        raise DatasetError(f"{path}: it is no COCO file; it must be an object")
    return data


def field(data: Any, name: str, kind: type | tuple[type, ...], where: str) -> Any:
    """A field of an object, or `DatasetError` that names it."""
    if not isinstance(data, Mapping):
        raise DatasetError(f"{where}: must be an object")
    if name not in data:
        raise DatasetError(f"{where}.{name}: is missing")
    value = data[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        words = kind if isinstance(kind, tuple) else (kind,)
        expected = " or ".join(k.__name__ for k in words)
        raise DatasetError(f"{where}.{name}: must be {expected}, got {value!r:.60}")
    return value


def number(data: Any, name: str, where: str) -> int:
    """A field that is a whole number from 0, also where it was written as 3.0."""
    value = field(data, name, (int, float), where)
    if value < 0 or (isinstance(value, float) and not value.is_integer()):
        raise DatasetError(f"{where}.{name}: must be a whole number, got {value!r}")
    return int(value)


def attributes_of(annotation: Mapping[str, Any]) -> dict[str, Any]:
    """What else is known of an object: ``attributes``, the score, if it is a group."""
    extra = annotation.get("attributes")
    found = {
        str(key): value
        for key, value in (extra.items() if isinstance(extra, Mapping) else ())
        if isinstance(value, str | int | float) and key != "instance"
    }
    if isinstance(annotation.get("score"), int | float):
        found["score"] = annotation["score"]
    return found | ({"crowd": True} if annotation.get("iscrowd") else {})


def part_of_index(index: Path) -> str | None:
    """The part that an index is of, by its name or that of its folder."""
    word = index.stem.rpartition("_")[2].rstrip("0123456789")
    return part_of([word, index.parent.name])


def class_set(
    entries: Any, used: set[int], where: str
) -> tuple[ClassSet, dict[int, int]]:
    """The classes of categories, and the class id of each category id.

    Ids stay, but for 0 and those that are too large: such a category gets a free id, or
    is left out where nothing is of it.
    """
    found: list[ClassEntry] = []
    ids: dict[int, None] = {}  # in order
    for index, entry in enumerate(entries):
        here = f"{where}: categories[{index}]"
        value, name = number(entry, "id", here), field(entry, "name", str, here)
        if value in ids:
            raise DatasetError(f"{here}.id: {value} is given twice")
        if value == 0 and value not in used:
            continue
        colour = ""
        given = entry.get("color")
        if (
            isinstance(given, list)
            and len(given) == 3
            and all(isinstance(v, int) and 0 <= v <= 255 for v in given)
        ):
            colour = f"#{bytes(given).hex()}"
        ids[value] = None
        own = value if 0 < value <= 65_534 else None
        found.append(ClassEntry(name, colour=colour, id=own))
    try:
        classes = ClassSet(found)
    except ValueError as error:
        raise DatasetError(f"{where}: categories: {error}") from error
    return classes, dict(zip(ids, classes.ids, strict=True))


def image_path(index: Path, file_name: str) -> Path | None:
    """The file of an image of an index, where it is in the usual places."""
    relative = PurePosixPath(file_name.replace("\\", "/"))
    # No drives, also where this system has none.
    inside = [
        part
        for part in relative.parts
        if part not in {"/", "..", "."}
        and not part.endswith(":")
        and not Path(part).drive
    ]
    split = index.stem.rpartition("_")[2]
    home, above = index.parent, index.parent.parent
    for folder in (
        *(above / "images" / split, above / "images", above / split, above),
        *(home / "images" / split, home / "images", home / split, home),
    ):
        for parts in (inside, inside[-1:]):
            if parts and (path := folder.joinpath(*parts)).is_file():
                return path
    return None


def pixels_of(
    path: Path | None, shape: tuple[int, int], file_name: str
) -> tuple[NDArray[Any] | None, tuple[str, ...]]:
    """An image of a shape, or none and a sentence why."""
    if path is None:
        return None, (f"{file_name}: the image was not found",)
    try:
        image = read_image(path)
    except (OSError, ValueError) as error:
        return None, (f"the image cannot be read: {error}",)
    if image.shape[:2] != shape:
        found = f"{image.shape[0]} × {image.shape[1]}"
        return None, (f"{path}: the image has {found} px, its labels other ones",)
    return image, ()
