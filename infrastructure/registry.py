"""The one registry: kinds by name, each in its own file, imported when first asked for."""

import importlib
import importlib.metadata
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

from infrastructure.errors import ConfigurationError, MissingExtraError, UnknownKindError

#: Where each part keeps its registry, imported when the part is first asked for.
PARTS = {
    "cache": "infrastructure.cache.base:CacheRegistry",
    "db": "infrastructure.connections.base:DatabaseRegistry",
    "embeddings": "infrastructure.embeddings.base:EmbedderRegistry",
    "external": "infrastructure.connections.external.base:ExternalRegistry",
    "llm": "infrastructure.llm.base:LLMRegistry",
    "vector": "infrastructure.connections.vector.base:VectorRegistry",
}


class Backend(Protocol):
    """What a registered class must have: the model its YAML block is validated with."""

    Settings: ClassVar[type[Any]]


PortT = TypeVar("PortT")
ImplT = TypeVar("ImplT")


class Registry(Generic[PortT]):
    """The kinds of one part.

    A built-in kind lives in `<package>.<kind>`, a file or a folder, and is imported by its first
    `resolve`; the decorator in there registers the class. Another distribution adds a kind through
    the entry point group `switchgear.<part>`, a running program through `register`.
    """

    def __init__(self, part: str, *, port: type, package: str, kinds: Iterable[str]) -> None:
        self.part = part
        self.port = port
        self._package = package
        self._builtin = frozenset(str(kind) for kind in kinds)
        self._classes: dict[str, type[PortT]] = {}
        self._own: dict[str, type[PortT]] = {}

    def register(self, kind: str) -> Callable[[type[ImplT]], type[ImplT]]:
        """Serve `kind` with the decorated class.

        Raises:
            TypeError: The class does not derive from the port, names no `Settings`, or the kind
                is taken by another class.
        """

        def add(cls: type[ImplT]) -> type[ImplT]:
            if not issubclass(cls, self.port):
                msg = f"{cls.__qualname__} does not derive from {self.port.__qualname__}"
                raise TypeError(msg)
            if not hasattr(cls, "Settings"):
                msg = f"{cls.__qualname__} names no Settings model for its YAML block"
                raise TypeError(msg)
            added = cast("type[PortT]", cls)
            taken = self._classes.get(str(kind))
            is_own = f"{cls.__module__}.".startswith(f"{self._module(str(kind))}.")
            if is_own:
                self._own[str(kind)] = added
            if taken is None or _origin(taken) == _origin(cls):
                self._classes[str(kind)] = added
            elif not is_own:  # ours may be imported later, by a kind that stands on it
                msg = f"{self.part} kind '{kind}' is already served by {'.'.join(_origin(taken))}"
                raise TypeError(msg)
            return cls

        return add

    def unregister(self, kind: str) -> None:
        """Forget the class of a kind; a built-in kind has its own again when next asked for."""
        self._classes.pop(str(kind), None)

    def kinds(self) -> tuple[str, ...]:
        """Every kind that can be resolved now, sorted."""
        return tuple(sorted({*self._builtin, *self._classes, *self._entry_points()}))

    def resolve(self, kind: str) -> type[PortT]:
        """The class that serves `kind`.

        Raises:
            UnknownKindError: No backend answers to that word.
            MissingExtraError: The backend's vendor package is not installed.
            ConfigurationError: A kind of another distribution cannot be imported.
        """
        kind = str(kind)
        if kind not in self._classes:
            self._import(kind)
        return self._classes[kind]

    def create(self, settings: Any, /, **dependencies: Any) -> PortT:
        """Construct the backend that `settings.kind` names; no I/O happens."""
        factory = cast("Callable[..., PortT]", self.resolve(settings.kind))
        return factory(settings, **dependencies)

    def _import(self, kind: str) -> None:
        if kind in self._builtin:
            self._import_builtin(kind)
        elif (entry := self._entry_points().get(kind)) is not None:
            self.register(kind)(self._loaded(entry))
        else:
            raise UnknownKindError(kind, self.kinds(), where=self.part)

    def _import_builtin(self, kind: str) -> None:
        if kind in self._own:
            self._classes[kind] = self._own[kind]
            return
        try:
            importlib.import_module(self._module(kind))
        except ImportError as error:
            missing = (error.name or "").partition(".")[0]
            if missing in {"", "infrastructure"}:
                raise
            raise MissingExtraError(kind, missing, where=self.part) from error
        if kind not in self._classes:
            msg = f"{self._module(kind)} registers no class for the {self.part} kind '{kind}'"
            raise TypeError(msg)

    def _module(self, kind: str) -> str:
        return f"{self._package}.{kind}"

    def _loaded(self, entry: importlib.metadata.EntryPoint) -> type[Any]:
        try:
            return cast("type[Any]", entry.load())
        except ImportError as error:
            raise ConfigurationError(
                f"kind '{entry.name}' cannot be imported from {entry.value}: {error}",
                where=self.part,
                hint="Install what the distribution that brings this kind needs.",
            ) from error

    def _entry_points(self) -> dict[str, importlib.metadata.EntryPoint]:
        group = importlib.metadata.entry_points(group=f"switchgear.{self.part}")
        return {entry.name: entry for entry in group}


def _origin(cls: type) -> tuple[str, str]:
    """Where a class was written: the same after its module was loaded again."""
    return cls.__module__, cls.__qualname__


def registry_of(part: str) -> Registry[Any]:
    """The registry of a part that has kinds.

    Raises:
        KeyError: The part has no kinds.
    """
    module, _, name = PARTS[part].partition(":")
    return cast("Registry[Any]", getattr(importlib.import_module(module), name))
