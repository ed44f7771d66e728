"""A cache in a file, shared by the processes of this machine."""

from infrastructure.cache.implementations.disk.provider import DiskCacheProvider, DiskCacheSettings

__all__ = ["DiskCacheProvider", "DiskCacheSettings"]
