"""``annotations.json`` of a sidecar, and the table of regions beside the maps.

Both may come from anywhere, so they are checked field by field.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
)

from .. import __version__
from ..results import REGION_COLUMNS
from .annotations import plain
from .class_lists import classes_from_dict
from .image_record import ImageRecord
from .label_files import label_file

if TYPE_CHECKING:
    import pandas as pd

    from ..classes import ClassSet
    from .annotations import Annotations

__all__ = ["FORMAT", "Header", "LabelFile", "describe", "read_table", "table_text"]

FORMAT: Final = 1
"""Raise it when an older version of this program could not read what is written."""

MAX_HEADER: Final = 64 * 1024**2  # bytes
MAX_TABLE: Final = 1024**3  # bytes; a region takes about 200
MAX_COPIES: Final = 1000

_Integers: TypeAlias = Literal[
    "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"
]
_MapName: TypeAlias = Literal["coarse", "regions", "refined", "owners"]
_DTYPES: Final = {"i": "int64", "u": "int64", "f": "float64", "b": "bool"}


class LabelFile(BaseModel):
    """One label map of a sidecar. Its file has no name here: the program knows it."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    shape: tuple[PositiveInt, ...] = Field(min_length=2, max_length=16)
    dtype: _Integers
    suffix: Literal[".tif", ".zarr"]
    name: str = ""
    edited: bool = False
    details: dict[str, Any] = {}
    placement: dict[str, Any] | None = None
    visible: bool = True


class Header(BaseModel):
    """What ``annotations.json`` holds.

    Attributes
    ----------
    folder : str
        Of the maps, in the sidecar; another one each time it is saved.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    format: Literal[1] = FORMAT
    software: str
    saved: AwareDatetime
    folder: str = Field(pattern="^maps-[0-9a-f]{12}$")
    image: ImageRecord
    classes: dict[str, Any]
    maps: dict[_MapName, LabelFile]
    written: dict[_MapName, LabelFile]
    copies: list[LabelFile] = Field(max_length=MAX_COPIES)
    regions: NonNegativeInt | None
    placement: dict[str, Any]
    position: list[int] = Field(max_length=16)
    level: NonNegativeInt
    settings: dict[str, Any]
    provenance: dict[str, Any]
    review: dict[str, Any]

    def class_set(self) -> ClassSet:
        """The classes; `ValueError` names the field."""
        return classes_from_dict(self.classes)

    @classmethod
    def parse(cls, text: bytes) -> Header:
        """Read it; `ValueError` is one line that names the field."""
        try:
            known = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("it is damaged") from None
        version = known.get("format") if isinstance(known, dict) else None
        if version != FORMAT or isinstance(version, bool):
            newer = isinstance(version, int) and version > FORMAT
            raise ValueError(
                f"format: {version!r} is newer than this program; update it"
                if newer
                else f"format: {version!r} is not {FORMAT}"
            )
        try:
            # As JSON: there lists may stand for tuples, and nothing else is converted.
            header = cls.model_validate_json(text)
            header.class_set()
        except ValidationError as error:
            raise ValueError(_first(error)) from None
        files = (*header.maps.values(), *header.written.values())
        shapes = {file.shape for file in files}
        if len(shapes) > 1:
            raise ValueError(f"maps: their shapes differ: {sorted(shapes)}")
        for key in header.written.keys() - header.maps.keys():
            raise ValueError(f"written: there is no map {key!r}")
        return header


def describe(given: Annotations, folder: str) -> Header:
    """What ``annotations.json`` says of annotations whose maps lie in ``folder``.

    Raises
    ------
    ValueError
        If the annotations are not as described; the message names the field.
    """
    if given.image is None:
        raise ValueError("image: it is missing; describe_image tells what it should be")
    if len(given.copies) > MAX_COPIES:
        raise ValueError(f"copies: there are more than {MAX_COPIES}")

    def about(array: Any, **more: Any) -> LabelFile:
        dtype = np.dtype(array.dtype).newbyteorder("=").name
        return LabelFile.model_validate(
            {"shape": tuple(array.shape), "dtype": dtype, "suffix": label_file(array)}
            | more
        )

    content = {
        "software": f"napari-s2clip {__version__}",
        "saved": datetime.now(UTC),
        "folder": folder,
        "image": given.image,
        "classes": given.classes.to_dict(),
        "maps": {
            key: about(
                array,
                name=plain(given.names.get(key, ""), f"names.{key}"),
                edited=key in given.edited,
                details=plain(given.details.get(key, {}), f"details.{key}"),
            )
            for key, array in given.maps.items()
        },
        "written": {key: about(array) for key, array in given.written.items()},
        "copies": [
            about(
                copy.data,
                name=plain(copy.name, f"copies[{i}].name"),
                placement=plain(copy.placement, f"copies[{i}].placement"),
                visible=bool(copy.visible),
            )
            for i, copy in enumerate(given.copies)
        ],
        "regions": None if given.region_table is None else len(given.region_table),
        "placement": plain(given.placement, "placement"),
        "position": [int(p) for p in given.position],
        "level": given.level,
        "settings": plain(given.settings, "settings"),
        "provenance": plain(given.provenance, "provenance"),
        "review": plain(given.review, "review"),
    }
    try:
        return Header.model_validate(content)
    except ValidationError as error:
        raise ValueError(_first(error)) from None


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_context=False)[0]
    where = ""
    for part in problem["loc"]:
        where += f"[{part}]" if isinstance(part, int) else f".{part}"
    message = " ".join(problem["msg"].split())
    return f"{where.lstrip('.') or 'the file'}: {message}"


# ------------------------------------------------------------------------ table


def table_text(table: pd.DataFrame) -> str:
    """JSON of a table of regions, column by column; see `read_table`.

    Raises
    ------
    ValueError
        If a column is missing, or holds something else than a table of regions does.
    """
    columns = {}
    for name in table.columns:
        kind = table[name].dtype.kind
        wanted = REGION_COLUMNS.get(name, _DTYPES.get(kind, "object"))
        series = table[name].astype(wanted)
        if wanted == "float64":
            values = [None if math.isnan(v) else v for v in series.tolist()]
        else:
            values = [
                [int(n) for n in v] if isinstance(v, tuple) else v
                for v in series.tolist()
            ]
        columns[name] = {"dtype": wanted, "values": values}
    _check_columns(columns, len(table))
    return json.dumps(columns, ensure_ascii=False, allow_nan=False)


def read_table(path: Path, rows: int) -> pd.DataFrame:
    """Read a table of regions.

    Raises
    ------
    ValueError
        If it is none, or has another number of rows; the message names the column.
    OSError
    """
    import pandas as pd

    if path.stat().st_size > MAX_TABLE:
        raise ValueError(f"it is larger than {MAX_TABLE} bytes")
    try:
        columns = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise ValueError("it is damaged") from None
    _check_columns(columns, rows)
    return pd.DataFrame(
        {
            name: pd.Series(
                [tuple(v) if isinstance(v, list) else v for v in column["values"]],
                dtype=column["dtype"],
            )
            for name, column in columns.items()
        }
    )


def _check_columns(columns: Any, rows: int) -> None:
    if not isinstance(columns, Mapping):
        raise ValueError("it holds no columns")
    for name in REGION_COLUMNS:
        if name not in columns:
            raise ValueError(f"{name}: the column is missing")
    for name, column in columns.items():
        values = column.get("values") if isinstance(column, dict) else None
        dtype = column.get("dtype") if isinstance(column, dict) else None
        if not isinstance(values, list) or len(values) != rows:
            raise ValueError(f"{name}: it has not {rows} values")
        if dtype != REGION_COLUMNS.get(name, dtype):
            raise ValueError(f"{name}: it holds {dtype!r}, not {REGION_COLUMNS[name]}")
        for value in values:
            if not _fits(value, dtype):
                raise ValueError(f"{name}: {value!r:.50} is no {dtype}")


def _fits(value: Any, dtype: Any) -> bool:
    if dtype == "object":  # names, and places in a stack
        return isinstance(value, str) or (
            isinstance(value, list) and all(type(v) is int for v in value)
        )
    if dtype == "float64":
        return value is None or type(value) in {int, float}
    if dtype == "int64":
        return type(value) is int and abs(value) <= np.iinfo(np.int64).max
    return dtype == "bool" and type(value) is bool
