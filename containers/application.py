"""The root container: composes one container a part, from one set of settings."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

from containers import (
    cache,
    db,
    embeddings,
    external,
    llm,
    observability,
    parts,
    providers,
    resilience,
    vector,
)
from containers.core import finding, layers
from containers.core.choices import Choice
from containers.core.container import DeclarativeContainer, DynamicContainer
from containers.errors import ContainerError, LifecycleError
from infrastructure.config import Settings, load_settings

#: How a named instance of each part is provided.
_INSTANCES = {
    "cache": cache.cache,
    "db": db.manager,
    "embeddings": embeddings.embedder,
    "external": external.service,
    "llm": llm.model,
    "vector": vector.vector_store,
}


class RootContainer(DynamicContainer):
    """What `Container()` gives: the parts, and the settings they are built from."""

    sources: Mapping[str, Any]

    @contextmanager
    def use_profile(self, profile: str) -> Iterator[Settings]:
        """Stand on another profile's settings until the block ends.

        Everything asked for inside is built from those settings; what was built before comes back.

        Raises:
            LifecycleError: The container is started; make another one with `Container(profile=)`.
            SettingsError: The profile's settings are wrong.
        """
        if self.is_started:
            raise LifecycleError(
                f"cannot switch to profile '{profile}' while started",
                hint="Use Container(profile=...) for a container of its own.",
            )
        settings = load_settings(profile, **self.sources)
        added = _add_instances(self, settings)
        try:
            with self.override({"settings": settings}):
                yield settings
        finally:
            for group, name in added:
                del group.providers[name]

    def choice_of(self, path: str) -> Choice | None:
        """Why the block at a path is of its kind, by the settings that stand now."""
        standing = layers.stand_in_of(self.settings)
        settings = standing or self.settings
        known = settings.provides if isinstance(settings, providers.Object) else None
        return parts.choice(known, path) if isinstance(known, Settings) else None


class Container(DeclarativeContainer):
    """The application's infrastructure, wired from YAML: paths here are paths there.

    Args (of the constructor):
        profile: The profile, or several; by default `SWITCHGEAR_PROFILES`, then `embedded`.
        settings: Loaded settings instead of a profile.
        resources, environ, overrides: As in `infrastructure.config.load_settings`.

    Making one reads YAML; it opens nothing and writes nothing.

    Raises:
        SettingsError: With every problem of the settings at once.
    """

    instance_type = RootContainer

    settings: providers.Object[Any] = providers.Object(None)
    folders = providers.Managed(observability.Folders, settings)
    logging = providers.Managed(observability.Logs, settings)
    cache = providers.Container(cache.CacheContainer)
    db = providers.Container(db.DbContainer)
    embeddings = providers.Container(embeddings.EmbeddingsContainer)
    external = providers.Container(external.ExternalContainer)
    llm = providers.Container(llm.LLMContainer)
    resilience = providers.Container(resilience.ResilienceContainer)
    vector = providers.Container(vector.VectorContainer)

    def __new__(
        cls,
        *,
        profile: Any = None,
        settings: Settings | None = None,
        resources: str | Path | None = None,
        environ: Mapping[str, str] | None = None,
        overrides: Mapping[str, Any] | None = None,
        **overriding: Any,
    ) -> Any:
        """Load the settings unless given, and make a container with providers of its own."""
        sources: dict[str, Any] = {
            "resources": resources,
            "environ": environ,
            "overrides": overrides,
        }
        if settings is not None and (
            profile or any(value is not None for value in sources.values())
        ):
            raise ContainerError(
                "Container() was given settings and a source of settings",
                where="containers",
                hint="Pass `settings=` alone, or what to load them from.",
            )
        loaded = settings or load_settings(profile, **sources)
        container = super().__new__(cls, **overriding)
        container.sources = sources
        container.settings.set_provides(loaded)
        for part in (*_INSTANCES, "resilience"):
            getattr(container, part).settings.set_default(container.settings)
        registry = cast("providers.Singleton[Any]", container.resilience.registry)
        registry.add_kwargs(connections=partial(finding.find, container))
        _add_instances(container, loaded)
        return container


def _add_instances(container: Any, settings: Settings) -> list[tuple[providers.Group, str]]:
    """Give each named block a provider; say which are new."""
    added: list[tuple[providers.Group, str]] = []
    for part, provide in _INSTANCES.items():
        inside = getattr(container, part)
        names = getattr(settings, part).instances
        for name in (each for each in names if each not in inside.instances.providers):
            provider = provide(inside.settings, f"instances.{name}")
            inside.instances.providers[name] = provider
            added.append((inside.instances, name))
            if part == "db":
                added += [(group, name) for group in db.add_instance(inside, name, provider)]
    for path in settings.policies_named():
        guarded = cast("providers.Managed[Any]", finding.find(container, path))
        guarded.add_kwargs(policies=container.resilience.registry)
        if path.startswith("db."):
            container.db.sync_managers.add_kwargs(policies=container.resilience.registry)
    vector.hand_embedders(container, settings)
    return added
