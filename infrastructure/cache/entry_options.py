"""How single entries are kept: the options of a call, given or named in the settings."""

from infrastructure.config.models.cache import CacheEntryOptions, CacheSettings
from infrastructure.errors import ConfigurationError

__all__ = ["PLAIN", "CacheEntryOptions", "options_of"]

#: What stands for no options.
PLAIN = CacheEntryOptions()


def options_of(name: str, settings: CacheSettings, where: str) -> CacheEntryOptions:
    """The options of that name.

    Raises:
        ConfigurationError: The cache's settings have none of that name.
    """
    try:
        return settings.options(name)
    except ConfigurationError as error:
        raise ConfigurationError(
            error.what, where=f"{where}.{error.where}", hint=error.hint
        ) from None
