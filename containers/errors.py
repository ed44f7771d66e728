"""What containers raise: each error carries its data and says what to do.

ContainerError (an InfrastructureError, permanent)
├── WiringError               an injected parameter that no wired container can fill
├── NoActiveScopeError        a scoped provider asked outside a scope
├── UnknownProviderError      a name or provider the container does not have
├── OverrideTypeError         a replacement that does not fit its port
├── ValidationError           everything that is wrong with a container's declaration
├── CircularDependencyError   what needs itself, by providers or by types
├── ServiceError              a type-keyed service that cannot be registered or made
│   ├── ServiceRegistrationError    what is registered cannot serve the type
│   ├── ServiceNotRegisteredError   nothing serves the type, or a parameter of what does
│   ├── CaptiveServiceError         a scoped service asked where no scope ends it
│   └── ServiceCreationError        it is registered and cannot be made here
└── LifecycleError            starting or stopping failed, or was asked at the wrong time
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from infrastructure.errors import Category, InfrastructureError, did_you_mean


class ContainerError(InfrastructureError):
    """Base of what containers raise on purpose."""

    category = Category.PERMANENT


class WiringError(ContainerError):
    """An injected parameter that cannot be filled; `where` is the function's file and line."""


class NoActiveScopeError(ContainerError):
    """A scoped provider was asked for an object outside any scope of its container."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"scoped '{path}' was asked outside a scope",
            where="containers",
            hint="Open one: `async with container.scope() as scope:`.",
        )


class UnknownProviderError(ContainerError):
    """A name or a provider that the container does not have."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(sorted(known))
        super().__init__(
            f"no provider '{name}'",
            where="containers",
            hint=f"{did_you_mean(name, self.known)}Known: {', '.join(self.known)}.",
        )


class OverrideTypeError(ContainerError):
    """A replacement that is not what the dependants of the provider expect."""


class ValidationError(ContainerError):
    """A container's declaration is wrong; `problems` has every fault, none was started.

    Attributes:
        problems: Each with `.code`, `.path` and `.message`.
    """

    def __init__(self, problems: Iterable[Any]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        found = f"{count} problem{'s' if count > 1 else ''} in the declaration{lines}"
        super().__init__(found, where="containers")


class LifecycleError(ContainerError):
    """Starting or stopping failed, or was asked at the wrong time.

    Attributes:
        failures: What failed to start, or was refused, by path.
        unended: What had started and failed to end again, by path.
    """

    def __init__(
        self,
        what: str,
        *,
        failures: Mapping[str, BaseException] | None = None,
        unended: Mapping[str, BaseException] | None = None,
        hint: str = "",
    ) -> None:
        self.failures = dict(failures or {})
        self.unended = dict(unended or {})
        lines = [
            f"\n  {path}: {_told(path, error)}" for path, error in sorted(self.failures.items())
        ]
        lines += [
            f"\n  {path}: did not end again: {_told(path, error)}"
            for path, error in sorted(self.unended.items())
        ]
        super().__init__(what + "".join(lines), where="containers", hint=hint)


def _told(path: str, error: BaseException) -> str:
    text = str(error).removeprefix("containers: ").removeprefix(f"{path}: ")
    return text if isinstance(error, InfrastructureError) else f"{type(error).__name__}: {text}"


class CircularDependencyError(ContainerError):
    """Providers or services that need each other; `path` begins and ends with the same name."""

    def __init__(self, path: Sequence[str], *, where: str = "containers", hint: str = "") -> None:
        self.path = tuple(path)
        super().__init__(
            f"'{path[0]}' needs itself: {' -> '.join(path)}",
            where=where,
            hint=hint or "Break the circle, or inject one of them as `<provider>.provider`.",
        )


class ServiceError(ContainerError):
    """Base of what only the type-keyed container raises."""

    def __init__(self, what: str, *, where: str = "services", hint: str = "") -> None:
        super().__init__(what, where=where, hint=hint)


class ServiceRegistrationError(ServiceError):
    """What is registered cannot serve the type it is registered for."""


class ServiceNotRegisteredError(ServiceError):
    """Nothing is registered for a type.

    Attributes:
        service: The type that was asked for.
        key: The key it was asked with, or None.
        path: Names of the services on the way to it; the last one is the missing one.
    """

    def __init__(
        self,
        service: Any,
        key: Any = None,
        *,
        path: Sequence[str] = (),
        what: str = "",
        hint: str = "",
    ) -> None:
        self.service = service
        self.key = key
        self.path = tuple(path)
        name = getattr(service, "__qualname__", str(service))
        super().__init__(what or f"'{name}' is not registered", hint=hint)


class CaptiveServiceError(ServiceError):
    """A scoped service asked where no scope would end it.

    Attributes:
        path: Names of the services that lead to it.
        keeper: The singleton that would keep it; empty when it was asked of the container.
    """

    def __init__(self, path: Sequence[str], *, keeper: str = "") -> None:
        self.path = tuple(path)
        self.keeper = keeper
        way = " -> ".join(path)
        if not keeper:
            what = f"scoped '{path[-1]}' was asked outside a scope"
            what += f": {way}" if len(path) > 1 else ""
            hint = "Open one: `with container.create_scope() as scope: scope.resolve(...)`."
        else:
            what = f"singleton '{keeper}' would keep scoped '{path[-1]}' alive: {way}"
            hint = f"Make {keeper} scoped, or let it take ScopeFactory and open a scope itself."
        super().__init__(what, hint=hint)


class ServiceCreationError(ServiceError):
    """A class or factory that cannot be called here: its arguments, its kind or its scope."""
