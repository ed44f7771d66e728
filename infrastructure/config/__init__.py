"""Settings from YAML profiles, the environment and overrides: loaded once, typed and frozen."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infrastructure.config.loader import EnvironmentLoader, load_settings
    from infrastructure.config.models.settings import Settings
    from infrastructure.config.problems import SettingsError

__all__ = ["EnvironmentLoader", "Settings", "SettingsError", "load_settings"]

_HOMES = {
    "EnvironmentLoader": "infrastructure.config.loader",
    "Settings": "infrastructure.config.models.settings",
    "SettingsError": "infrastructure.config.problems",
    "load_settings": "infrastructure.config.loader",
}


def __getattr__(name: str) -> Any:
    # A backend imports its base model through this package; only `load_settings` needs the rest.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
