"""Calling a class that is not registered, with arguments of the caller's own."""

import inspect
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from containers.core.fitting import misfit
from containers.core.services import generics
from containers.core.services.planning import Planner
from containers.core.services.plans import Plan, Subject
from containers.core.services.signatures import NOTHING, Constructor, constructors_of, wish_of
from containers.errors import ServiceCreationError, ServiceNotRegisteredError


def first_plan(planner: Planner, cls: Any, extra: Sequence[Any], named: Mapping[str, Any]) -> Plan:
    """The call of the first constructor that takes the arguments and finds the rest.

    Raises:
        ServiceCreationError: No constructor takes the arguments.
        ServiceNotRegisteredError: One takes them, and another of its parameters has no service.
    """
    constructors = _constructors(cls)
    failures: list[ServiceNotRegisteredError | ServiceCreationError] = []
    for constructor in constructors:
        given = matched(constructor, extra, named)
        if given is None:
            continue
        try:
            return planned(planner, constructor, cls, given)
        except (ServiceNotRegisteredError, ServiceCreationError) as error:
            failures.append(error)
    raise failures[0] if failures else surplus(cls, extra, named, constructors)


def planned(planner: Planner, constructor: Constructor, cls: Any, given: Mapping[str, Any]) -> Plan:
    """The call with the given arguments; what it needs is looked at before anything is made."""
    subject = Subject(generics.name_of(cls), path=(generics.name_of(cls),))
    plan = planner.call(constructor, subject, given)
    for candidate in plan.candidates:
        planner.facts(candidate)
    return plan


def chosen(cls: Any, types: Sequence[Any]) -> Constructor:
    """The one constructor that takes arguments of these types."""
    constructors = _constructors(cls)
    found = [one for one in constructors if _takes(one, types)]
    names = ", ".join(generics.name_of(one) for one in types)
    if not found:
        raise ServiceCreationError(
            f"no constructor of {generics.name_of(cls)} takes ({names})", hint=_told(constructors)
        )
    if len(found) > 1:
        raise ServiceCreationError(
            f"{len(found)} constructors of {generics.name_of(cls)} take ({names})",
            hint="Mark one classmethod with @constructor, or name more types.",
        )
    return found[0]


def matched(
    constructor: Constructor, extra: Sequence[Any], named: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The arguments by parameter; None when one finds no place."""
    if not {one.name for one in constructor.parameters}.issuperset(named):
        return None
    given = dict(named)
    for value in extra:
        for parameter in constructor.parameters:
            if parameter.name not in given and not _misfit(value, parameter.annotation):
                given[parameter.name] = value
                break
        else:
            return None
    return given


def surplus(
    cls: Any, extra: Sequence[Any], named: Mapping[str, Any], constructors: Sequence[Constructor]
) -> ServiceCreationError:
    """The error for arguments that no constructor takes; their values stay out of it."""
    found = [type(one).__qualname__ for one in extra]
    found += [f"{name}: {type(one).__qualname__}" for name, one in named.items()]
    return ServiceCreationError(
        f"no constructor of {generics.name_of(cls)} takes ({', '.join(found)})",
        hint=_told(constructors),
    )


def _constructors(cls: Any) -> tuple[Constructor, ...]:
    target = generics.class_of(cls)
    if not isinstance(target, type):
        raise ServiceCreationError(f"{generics.name_of(cls)} is no class and cannot be created")
    if inspect.isabstract(target) or getattr(target, "_is_protocol", False):
        raise ServiceCreationError(
            f"{generics.name_of(cls)} is abstract and cannot be created",
            hint="Create a class that implements it.",
        )
    return constructors_of(cls)


def _takes(constructor: Constructor, types: Sequence[Any]) -> bool:
    free = list(constructor.parameters)
    for wanted in types:
        fitting = [one for one in free if _admits(one.annotation, wanted)]
        if not fitting:
            return False
        free.remove(fitting[0])
    return True


def _admits(annotation: Any, wanted: Any) -> bool:
    if annotation is NOTHING or annotation is Any:
        return True
    service = wish_of(annotation).service
    members = typing.get_args(service) if not isinstance(service, type) else ()
    if members and not isinstance(typing.get_origin(service), type):
        return any(_admits(one, wanted) for one in members)
    cls = generics.class_of(service)
    return isinstance(cls, type) and issubclass(generics.class_of(wanted), cls)


def _misfit(value: Any, annotation: Any) -> str:
    return "" if annotation is NOTHING else misfit(value, annotation)


def _told(constructors: Sequence[Constructor]) -> str:
    signatures = [
        "(" + ", ".join(f"{one.name}: {_type_told(one.annotation)}" for one in way.parameters) + ")"
        for way in constructors
    ]
    return f"It takes {' or '.join(signatures)}."


def _type_told(annotation: Any) -> str:
    return "anything" if annotation is NOTHING else generics.name_of(annotation)
