"""The layer of a secrets directory: a file's name is the key, its content the value.

`db.default.password`, `db__default__password` and `db/default/password` are the same key. Hidden
entries are skipped, as orchestrators keep their bookkeeping in them.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from infrastructure.config.environment import SECRETS_DIR, Environment
from infrastructure.config.files import UnreadableError, read_text, without_final_newline
from infrastructure.config.nodes import Scalar, Table
from infrastructure.config.origins import Layer, Origin, Reference, Source, shown
from infrastructure.config.problems import Report
from infrastructure.config.tree import Tree

_MAX_FILES = 1000


def read_secret_files(environment: Environment, report: Report) -> Table:
    """The layer; empty when `SWITCHGEAR_SECRETS_DIR` is not set."""
    tree = Tree(Layer.SECRETS, report)
    setting = environment.get(SECRETS_DIR)
    if setting is None:
        return tree.table()
    folder = Path(setting.text).absolute()
    if not setting.text or not folder.is_dir():
        report.add_unreadable(SECRETS_DIR, "does not name a folder")
        return tree.table()
    for steps, path in _files(folder, report):
        _put(tree, steps, path, report)
    return tree.table()


def _put(tree: Tree, steps: list[str], path: Path, report: Report) -> None:
    try:
        text = without_final_newline(read_text(path))
    except UnreadableError as error:
        report.add_unreadable(shown(str(path)), str(error))
        return
    reference = Reference(".".join(steps), Source.FILE, not text)
    tree.put(steps, Scalar(text, Origin(Layer.SECRETS, str(path), references=(reference,))))


def _files(folder: Path, report: Report) -> Iterator[tuple[list[str], Path]]:
    count = 0
    for parent, folders, names in os.walk(folder, onerror=_reporter(report)):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            count += 1
            if count > _MAX_FILES:
                report.add_unreadable(SECRETS_DIR, f"holds more than {_MAX_FILES} files")
                return
            path = Path(parent) / name
            yield _steps(path.relative_to(folder)), path


def _steps(relative: Path) -> list[str]:
    key = ".".join(relative.parts).replace("__", ".")
    return key.lower().split(".")


def _reporter(report: Report) -> Callable[[OSError], None]:
    def note(error: OSError) -> None:
        report.add_unreadable(SECRETS_DIR, f"cannot be read ({error.strerror})")

    return note
