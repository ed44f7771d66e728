"""What containers raise: each error carries its data and says what to do.

ContainerError (an InfrastructureError, permanent)
├── WiringError               an injected parameter that no wired container can fill
├── NoActiveScopeError        a scoped provider asked outside a scope
├── UnknownProviderError      a name or provider the container does not have
├── OverrideTypeError         a replacement that does not fit its port
├── ValidationError           everything that is wrong with a container's declaration
└── LifecycleError            starting or stopping failed, or was asked at the wrong time
"""

from collections.abc import Iterable, Mapping
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
        failures: The error of each provider by its path.
    """

    def __init__(
        self, what: str, *, failures: Mapping[str, BaseException] | None = None, hint: str = ""
    ) -> None:
        self.failures = dict(failures or {})
        lines = "".join(
            f"\n  {path}: {_told(path, error)}" for path, error in sorted(self.failures.items())
        )
        super().__init__(what + lines, where="containers", hint=hint)


def _told(path: str, error: BaseException) -> str:
    text = str(error).removeprefix(f"{path}: ")
    return text if isinstance(error, InfrastructureError) else f"{type(error).__name__}: {text}"
