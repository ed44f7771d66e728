"""Loading: find the files, read every layer, merge, substitute, validate, report once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infrastructure.config.environment import overrides_of, read_environment
from infrastructure.config.merge import merge
from infrastructure.config.models.settings import Settings
from infrastructure.config.nodes import Table
from infrastructure.config.origins import Origin
from infrastructure.config.overrides import read_overrides
from infrastructure.config.problems import Report, SettingsError
from infrastructure.config.profiles import Groups, asked_for, expand, take_groups
from infrastructure.config.resources import Folder, find_folders, known_profiles
from infrastructure.config.secret_files import read_secret_files
from infrastructure.config.substitution import substitute
from infrastructure.config.validation import validate


def load_settings(
    profile: str | Sequence[str] | None = None,
    *,
    resources: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Read the settings of one or more profiles.

    Layers, low to high: the models' defaults, the packaged base files, the packaged profiles, the
    host's base files, the host's profiles, the secrets directory, the environment, `overrides`.

    Args:
        profile: A name, a comma list or a sequence, the last one winning; None asks
            `SWITCHGEAR_PROFILES`, then takes `embedded`; an empty sequence loads base files only.
        resources: The host's folder, above the packaged one; None takes `./resources` if it
            exists.
        environ: Every variable there is; None takes those of the process, above those of `./.env`.
        overrides: A nested mapping or dotted keys. Text is converted by the field's type,
            placeholders in it are not replaced, and None means the model's default; `null` in
            text is text.

    Raises:
        SettingsError: Something is wrong; it lists all of it.
    """
    report = Report()
    environment = read_environment(environ, report)
    folders = find_folders(resources, report)
    bases, groups = _read_bases(folders, report)
    names, where = asked_for(profile, environment, report)
    active = expand(names, where, known_profiles(folders), groups, report)
    layers = _file_layers(folders, bases, active, report)
    layers += [read_secret_files(environment, report), overrides_of(environment, report)]
    layers.append(read_overrides(overrides, report))
    tree = substitute(merge(layers, environment), environment, report)
    settings = validate(tree, active, report)
    if settings is None:
        raise SettingsError(report.problems, active)
    return settings


class EnvironmentLoader:
    """The dictionary form of the settings."""

    @staticmethod
    def load_config(
        profile: str | Sequence[str] | None = None,
        *,
        resources: str | Path | None = None,
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """What `load_settings` gives, as nested dictionaries; secrets stay wrapped.

        Raises:
            SettingsError: Something is wrong; it lists all of it.
        """
        settings = load_settings(profile, resources=resources, environ=environ, overrides=overrides)
        return settings.model_dump()


def _read_bases(folders: Sequence[Folder], report: Report) -> tuple[list[Table], Groups]:
    bases: list[Table] = []
    groups: dict[str, tuple[tuple[str, ...], Origin]] = {}
    for folder in folders:
        base, own = take_groups(folder.read_base(report), report)
        bases.append(base)
        groups.update(own)
    return bases, groups


def _file_layers(
    folders: Sequence[Folder], bases: Sequence[Table], active: Sequence[str], report: Report
) -> list[Table]:
    layers = []
    for folder, base in zip(folders, bases, strict=True):
        layers.append(base)
        overlays = (folder.read_profile(profile, report) for profile in active)
        layers += [overlay for overlay in overlays if overlay is not None]
    return layers
