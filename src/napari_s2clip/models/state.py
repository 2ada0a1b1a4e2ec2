"""What a weight file holds: tensors by name, and nothing that runs code.

PyTorch's own files are pickles. Before any reader sees one, its first bytes, and the
list of contents if it is an archive, must be those that ``torch.save`` writes: older
PyTorch runs TorchScript and unpacks tar archives also when tensors alone are asked for.
"""

from __future__ import annotations

import re
import tarfile
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from .cards import ModelCard

__all__ = ["WRAPPERS", "WeightFile"]

WRAPPERS: Final = ("state_dict", "model", "model_state", "model_state_dict", "teacher")
"""Keys under which training programs write the tensors, beside other things."""

_ZIP: Final = b"PK\x03\x04"
# The number that ``torch.save`` wrote before everything else until PyTorch 1.6.
_OLD: Final = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."

_SIGNATURES: Final = (
    (rb"version https://git-lfs", "a pointer of Git LFS to the file"),
    (rb"\s*(<!doctype|<html|<\?xml)", "a web page"),
    (rb"\x08[\x01-\x20]\x12.{0,60}(onnx|pytorch|tf2onnx)", "an ONNX model"),
    (rb"GGUF", "a GGUF model"),
    (rb"\x89HDF", "an HDF5 file"),
    (rb"\x1f\x8b|7z|\xfd7zXZ|BZh", "a compressed file"),
    (rb"\x80[\x02-\x05]", "a pickle of something else"),
)


class WeightFile:
    """A file of weights whose tensors are read when they are used.

    Which format it has is told by its content, not by its suffix.

    Parameters
    ----------
    path : Path
    part : ModelCard
        What errors name.

    Attributes
    ----------
    mapped : bool
        Whether `read` only maps the file; files of PyTorch before 1.6 are read whole.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is neither safetensors nor a file of PyTorch.
    """

    def __init__(self, path: Path, part: ModelCard) -> None:
        self.path = path
        self._part = part
        with path.open("rb") as stream:  # what the system refuses, it says itself
            head = stream.read(200)
        self.mapped = True
        self._safe = False
        if head.startswith(_ZIP):
            self._check_archive()
        elif head.startswith(_OLD) and not tarfile.is_tarfile(path):
            self.mapped = False
        elif head[8:9] == b"{":
            self._safe = True
        else:
            raise self._refusal(_kind(head, path))
        if not self._safe and path.suffix == ".safetensors":
            # Newer PyTorch hands such a name on to safetensors.
            raise self._refusal("one of PyTorch by its content", "rename it to .pth")

    def read(self) -> dict[str, Tensor]:
        """The tensors by name, as they are in the file.

        A dict under one of `WRAPPERS` is taken out; what lies beside it is left.

        Raises
        ------
        ValueError
            If there is anything else than tensors by name, or the file is damaged.
        """
        state, code = None, ""
        try:
            state = self._load()
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001
            # A reader that meets bytes of another kind may stop with any error, and
            # PyTorch's text recommends to let the file run code. It says GLOBAL where
            # it tells what the file would import.
            code = "".join(re.findall(r"GLOBAL ([\w.]{1,80})", str(error))[:1])
        if code:
            raise self._refusal(
                f"holds {code}, which could run code",
                "save its tensors alone: torch.save(model.state_dict(), PATH)",
            )
        if state is None:
            more = "" if self._safe else ", or holds more than tensors"
            raise self._refusal(f"is damaged{more}")
        wrapped = [
            key
            for key in WRAPPERS
            if isinstance(state, dict) and _are_tensors(state.get(key))
        ]
        if len(wrapped) > 1:
            raise ValueError(
                f"weights[{self._part.role!r}]: {self.path.name} holds several models "
                f"({', '.join(wrapped)}); save the tensors of one of them alone"
            )
        tensors: dict[str, Tensor] = state[wrapped[0]] if wrapped else state
        if not _are_tensors(tensors):
            raise self._refusal("holds no tensors by name")
        return tensors

    def _load(self) -> Any:
        if self._safe:
            from safetensors.torch import load_file

            return load_file(self.path)
        with warnings.catch_warnings():
            # Of odd pickles; the file is loaded or refused all the same.
            warnings.simplefilter("ignore", UserWarning)
            # What PyTorch before 2.6 says before it runs an archive.
            warnings.filterwarnings("error", ".*looks like a TorchScript archive")
            return torch.load(
                self.path, map_location="cpu", weights_only=True, mmap=self.mapped
            )

    def _check_archive(self) -> None:
        """Look at an archive's list of contents, which decides how it is read."""
        entries: list[zipfile.ZipInfo] = []
        with (
            suppress(zipfile.BadZipFile, ValueError, NotImplementedError),
            zipfile.ZipFile(self.path) as archive,
        ):
            entries = archive.infolist()
        if not entries:
            raise self._refusal("a damaged archive")
        names = {entry.filename.partition("/")[2] for entry in entries}
        if "constants.pkl" in names:
            part = self._part
            raise self._refusal(
                "a TorchScript archive, which is a program",
                part.source and f"take {part.filename} of {part.source}",
            )
        if "data.pkl" not in names:
            raise self._refusal("an archive of other files")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            # `torch.save` never compresses, and mapped tensors are read as they lie.
            raise self._refusal("a compressed archive")

    def _refusal(self, but: str = "", remedy: str = "") -> ValueError:
        return ValueError(
            f"weights[{self._part.role!r}]: {self.path.name} is no weight file"
            f"{but and f' but {but}'}; "
            + (remedy or "give safetensors or a PyTorch file of tensors")
        )


def _kind(head: bytes, path: Path) -> str:
    if not head:
        return "an empty one"
    for pattern, kind in _SIGNATURES:
        if re.match(pattern, head, re.IGNORECASE | re.DOTALL):
            return kind
    return "a tar archive" if tarfile.is_tarfile(path) else ""


def _are_tensors(state: object) -> bool:
    """Whether there are tensors with their numbers by name, and nothing else."""
    return (
        isinstance(state, dict)
        and bool(state)
        and all(
            isinstance(name, str)
            and type(value) in {Tensor, nn.Parameter}
            and value.layout is torch.strided
            and value.device.type == "cpu"
            and not value.is_quantized
            and not value.is_nested
            for name, value in state.items()
        )
    )
