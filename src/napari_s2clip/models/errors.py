"""Errors about models."""

from __future__ import annotations

__all__ = ["OwnFileError", "WeightsNotFound"]


class OwnFileError(ValueError):
    """The file of the user's own models is wrong; names it, the model and the field."""


class WeightsNotFound(FileNotFoundError):
    """A weight file is not on this computer; the message says where to get it.

    Parameters
    ----------
    what : str
        Which file, and where it belongs; kept as an attribute.
    otherwise : str
        How a program, or a command line, may point to a copy.
    """

    def __init__(self, what: str, otherwise: str = "") -> None:
        super().__init__(f"{what}; {otherwise}" if otherwise else what)
        self.what = what
