"""The folders settings are read from: the packaged one, and the host's above it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import infrastructure
from infrastructure.config import document
from infrastructure.config.document import DocumentError, Place
from infrastructure.config.files import UnreadableError, read_text
from infrastructure.config.merge import join
from infrastructure.config.nodes import Table
from infrastructure.config.origins import Layer, Origin, shown
from infrastructure.config.problems import Report


@dataclass(frozen=True, slots=True)
class Folder:
    """`application.yaml`, `application-<area>.yaml` and `profiles/<profile>.yaml` below a path."""

    path: Path
    base_layer: Layer
    profile_layer: Layer

    def read_base(self, report: Report) -> Table:
        """Every base file as one layer."""
        files = sorted({*self.path.glob("application.yaml"), *self.path.glob("application-*.yaml")})
        self._refuse_other_suffix(report)
        layer = Table({}, Origin(self.base_layer, str(self.path)))
        for file in files:
            layer = join(layer, _read(Place(str(file), self.base_layer), report), report)
        return layer

    def read_profile(self, profile: str, report: Report) -> Table | None:
        """The overlay of a profile; None when this folder has none."""
        file = self.path / "profiles" / f"{profile}.yaml"
        if profile not in self.profiles():
            return None
        return _read(Place(str(file), self.profile_layer, profile), report)

    def profiles(self) -> frozenset[str]:
        """The profiles this folder has an overlay for."""
        return frozenset(file.stem for file in self.path.glob("profiles/*.yaml"))

    def _refuse_other_suffix(self, report: Report) -> None:
        for pattern in ("application.yml", "application-*.yml", "profiles/*.yml"):
            for file in sorted(self.path.glob(pattern)):
                report.add(shown(str(file)), "", "would not be read", "Rename it to .yaml.")


@cache
def packaged_folder() -> Path:
    """The shipped resources: inside the wheel, or beside the package in a checkout."""
    package = Path(str(infrastructure.__file__)).resolve().parent
    inside = package / "_resources"
    return inside if inside.is_dir() else package.parent / "resources"


def find_folders(resources: str | Path | None, report: Report) -> tuple[Folder, ...]:
    """The folders to read, lowest first."""
    packaged = packaged_folder()
    folders = (Folder(packaged, Layer.PACKAGED, Layer.PACKAGED_PROFILE),)
    if not _is_listed(packaged, report, "Install the distribution again."):
        return ()
    host = Path("resources" if resources is None else resources).absolute()
    if resources is None and not host.is_dir():
        return folders
    if not _is_listed(host, report, "Correct `resources=`.") or host.samefile(packaged):
        return folders
    return (*folders, Folder(host, Layer.HOST, Layer.HOST_PROFILE))


def known_profiles(folders: Iterable[Folder]) -> frozenset[str]:
    """Every profile that any folder has an overlay for."""
    return frozenset().union(*(folder.profiles() for folder in folders))


def _is_listed(folder: Path, report: Report, hint: str) -> bool:
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        reason = f"cannot be read as a folder ({error.strerror})"
        report.add_unreadable(shown(str(folder)), reason, hint)
        return False
    return True


def _read(place: Place, report: Report) -> Table:
    where = shown(place.file)
    try:
        return document.parse(read_text(place.file), place)
    except UnreadableError as error:
        report.add_unreadable(where, str(error))
    except DocumentError as error:
        position = f":{error.line}:{error.column}" if error.line else ""
        report.add_unreadable(f"{where}{position}", error.message, error.hint)
    return Table({}, Origin(place.layer, place.file, 1, 1, place.profile))
