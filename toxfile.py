"""A setting for tox.ini: ``{host_python}``, the Python that runs tox.

The environments that borrow another one call tox again. That must be this same tox:
one of another version would throw the large environment away and install it anew.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tox.plugin import impl

if TYPE_CHECKING:
    from tox.config.sets import ConfigSet
    from tox.session.state import State


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:
    """Add the setting."""
    core_conf.add_constant("host_python", "the Python that runs tox", sys.executable)
