"""Which registrations serve a wish, and what to say when none does."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from containers.core.services import generics
from containers.core.services.plans import Candidate, Dependency, Many, One, Subject, named
from containers.core.services.registrations import ANY_KEY, ServiceDescriptor
from containers.core.services.signatures import NOTHING, Wish, wish_of
from containers.errors import ServiceCreationError, ServiceNotRegisteredError
from infrastructure.errors import did_you_mean


@dataclass(eq=False)
class Catalog:
    """All registrations as they are at one moment, under the overrides of the caller."""

    registrations: Sequence[ServiceDescriptor]
    layers: tuple[Any, ...] = ()
    _by_service: dict[Any, list[ServiceDescriptor]] = field(default_factory=dict, init=False)
    _asked: dict[Any, Dependency] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        for registration in sorted(self.registrations, key=lambda one: one.order):
            served = self._by_service.setdefault((registration.service, registration.key), [])
            served.append(registration)

    def find(self, service: Any, key: Hashable = None) -> Candidate | None:
        """What serves one object: an override, then a closed form, then an open one; the last.

        Raises:
            ServiceCreationError: The key cannot be asked with.
        """
        _check_key(service, key)
        if key is ANY_KEY:
            raise ServiceCreationError(
                f"one {generics.name_of(service)} was asked with ANY_KEY",
                hint="Name the key, or ask for all: resolve(list[...], key=ANY_KEY).",
            )
        for layer in reversed(self.layers):
            if (stand_in := layer.stand_ins.get((service, key))) is not None:
                return Candidate(stand_in, service, key)
        for wanted in (key,) if key is None else (key, ANY_KEY):
            served = [*self._open(service, wanted), *self._closed(service, wanted)]
            if served:
                return Candidate(served[-1], service, key)
        return None

    def find_all(self, service: Any, key: Hashable = None) -> tuple[Candidate, ...]:
        """What serves a collection, in the order of registration."""
        _check_key(service, key)
        for layer in reversed(self.layers):
            if (stand_in := layer.stand_ins.get((service, key))) is not None:
                return (Candidate(stand_in, service, key),)
        keys = self._keys(service) if key is ANY_KEY else [key] if key is None else [key, ANY_KEY]
        found = [
            Candidate(registration, service, one if key is ANY_KEY else key)
            for one in keys
            for registration in (*self._open(service, one), *self._closed(service, one))
        ]
        return tuple(sorted(found, key=lambda one: one.registration.order))

    def has(self, service: Any, key: Hashable = None) -> bool:
        """Whether asking for the service would find something; a collection always would."""
        wish = wish_of(service, key)
        if wish.key is ANY_KEY:
            return any(served == wish.service and one for served, one in self._by_service)
        is_collection = wish.element is not NOTHING
        return is_collection or self.find(wish.service, wish.key) is not None

    def asked(self, service: Any, key: Hashable) -> Dependency:
        """Where what a caller asks for comes from; found once.

        Raises:
            ServiceNotRegisteredError: Nothing serves it.
        """
        _check_key(service, key)
        known = self._asked.get((service, key))
        if known is None:
            wish = wish_of(service, key)
            known = self.dependency(wish)
            if known is None:
                raise self.not_registered(wish)
            self._asked[service, key] = known
        return known

    def dependency(self, wish: Wish) -> Dependency | None:
        """Where what is wished for comes from; an unknown collection is empty."""
        element = wish.element
        if element is NOTHING or wish.key is not ANY_KEY:
            candidate = self.find(wish.service, wish.key)
            if candidate is not None:
                return One(candidate)
        return None if element is NOTHING else Many(self.find_all(element, wish.key))

    def not_registered(
        self, wish: Wish, subject: Subject | None = None, parameter: str = ""
    ) -> ServiceNotRegisteredError:
        """The error for a wish that nothing serves, with what would help."""
        name = named(wish.service, wish.key)
        path = (*(subject.path if subject else ()), name)
        what = f"'{name}' is not registered"
        if subject is not None:
            what += f"; needed to build '{subject.name}' (parameter '{parameter}')"
        if len(path) > 2:  # noqa: PLR2004 - two names say no more than the sentence before
            what += f", asked through {' -> '.join(path)}"
        hint = self._advice(wish)
        return ServiceNotRegisteredError(wish.service, wish.key, path=path, what=what, hint=hint)

    def _closed(self, service: Any, key: Hashable) -> list[ServiceDescriptor]:
        return [one for one in self._by_service.get((service, key), ()) if not one.is_open]

    def _open(self, service: Any, key: Hashable) -> list[ServiceDescriptor]:
        """The open generics that serve a closed form."""
        bare = generics.class_of(service)
        if bare is service:
            return []
        return [
            one
            for one in self._by_service.get((bare, key), ())
            if one.is_open and generics.closed_target(one.target, bare, service) is not None
        ]

    def _keys(self, service: Any) -> list[Hashable]:
        """The keys a service is registered with by name."""
        services = {service, generics.class_of(service)}
        found = [key for served, key in self._by_service if served in services]
        return list(dict.fromkeys(key for key in found if key is not None and key is not ANY_KEY))

    def _advice(self, wish: Wish) -> str:
        keys = sorted({str(key) for service, key in self._by_service if service == wish.service})
        if generics.is_open(wish.service) and keys:
            return f"It is an open generic: ask for {generics.name_of(wish.service)}[...]."
        if keys:
            return f"It is registered with other keys: {', '.join(keys)}."
        for one in self.registrations:
            if one.service != wish.service and generics.class_of(one.target) is wish.service:
                return f"It serves {generics.name_of(one.service)}: ask for that."
        name = generics.name_of(wish.service)
        known = {generics.name_of(one.service) for one in self.registrations if not one.is_builtin}
        return f"{did_you_mean(name, known)}Register it: register_singleton({name}, ...)."


def _check_key(service: Any, key: Hashable) -> None:
    try:
        hash((service, key))
    except TypeError as error:
        raise ServiceCreationError(
            f"{generics.name_of(service)} was asked with {key!r}: {error}",
            hint="Services and keys are values that can be hashed: types, strings, enum members.",
        ) from error
