"""Test sessions within tests: what becomes of servers when a session ends, or is killed."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_CONFTEST = "from tests.conftest import *\n"


def begin_session(
    folder: Path, test: str, *, conftest: str = _CONFTEST, **environment: str
) -> subprocess.Popen[str]:
    """Start a session with one test file; without CI, unless the environment says so."""
    (folder / "conftest.py").write_text(conftest, encoding="utf-8")
    (folder / "test_session.py").write_text(test, encoding="utf-8")
    options = ["-s", "-p", "no:cacheprovider", f"--rootdir={ROOT}", f"-c{ROOT / 'pyproject.toml'}"]
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, str(folder)],
        cwd=ROOT,
        env={**os.environ, "CI": "", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run_session(folder: Path, test: str, **settings: str) -> str:
    """Run a session to its end and return what it said."""
    with begin_session(folder, test, **settings) as session:
        return session.communicate(timeout=120)[0]
