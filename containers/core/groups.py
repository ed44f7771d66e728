"""A group of providers whose names are known only from settings."""

from typing import Any, Self

from dependency_injector import providers as di


class Group(di.Provider[dict[str, Any]]):
    """Named providers, added when a container is made; a call gives all their objects."""

    def __init__(self) -> None:
        super().__init__()
        self.providers: dict[str, di.Provider[Any]] = {}

    def __deepcopy__(self, memo: dict[Any, Any] | None = None) -> Self:
        memo = {} if memo is None else memo
        copied: Self | None = memo.get(id(self))
        if copied is None:
            copied = memo[id(self)] = type(self)()
            for name, provider in self.providers.items():
                copied.providers[name] = di.deepcopy(provider, memo)
            self._copy_overridings(copied, memo)
        return copied

    def __getattr__(self, name: str) -> di.Provider[Any]:
        providers: dict[str, di.Provider[Any]] = self.__dict__.get("providers", {})
        if name in providers:
            return providers[name]
        known = ", ".join(sorted(providers)) or "none"
        raise AttributeError(f"no instance '{name}'; configured: {known}")

    @property
    def related(self) -> Any:
        """The providers of the group."""
        yield from self.providers.values()
        yield from super().related

    def _provide(self, *_: Any) -> dict[str, Any]:
        return {name: provider() for name, provider in self.providers.items()}
