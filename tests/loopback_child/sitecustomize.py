"""Install the guard in a child process whose PYTHONPATH has this folder."""

import importlib.util
from pathlib import Path

_path = Path(__file__).resolve().parent.parent / "loopback.py"
_spec = importlib.util.spec_from_file_location("_loopback_guard", _path)
assert _spec is not None
assert _spec.loader is not None
_guard = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_guard)
_guard.install()
