"""Finding injection markers in a signature, and the provider each one means."""

import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, cast

from dependency_injector import providers as di
from dependency_injector.wiring import Closing, Provide
from dependency_injector.wiring import Provider as ProviderMarker

from containers.core.finding import Declared
from containers.errors import WiringError

#: The stubs call them instances of a protocol; they are classes.
_PROVIDE, _PROVIDER, _CLOSING = cast("tuple[type, type, type]", (Provide, ProviderMarker, Closing))
_MARKERS = (_PROVIDE, _PROVIDER, _CLOSING)
_MARKER_IN_TEXT = re.compile(r"\b(Provide|Provider|Closing)\s*\[")


@dataclass(frozen=True, slots=True)
class Marked:
    """One injected parameter.

    Attributes:
        name: The parameter.
        position: Where it stands among the positional ones; -1 for a keyword-only one.
        marker: dependency-injector's marker, with `Closing` taken off.
        closes: Whether what is injected ends with the call.
    """

    name: str
    position: int
    marker: Any
    closes: bool

    @property
    def wants_provider(self) -> bool:
        """Whether the provider itself is injected."""
        return isinstance(self.marker, _PROVIDER)


def place_of(function: Callable[..., Any]) -> str:
    """File and line of a function's definition."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)


def marked(function: Callable[..., Any], frame_locals: Mapping[str, Any]) -> tuple[Marked, ...]:
    """The injected parameters, marked by default or by `Annotated`, postponed annotations too.

    Args:
        function: What is decorated.
        frame_locals: Names of the decorating frame, for annotations that mention local classes.

    Raises:
        WiringError: An annotation mentions a marker and cannot be evaluated; or a marked
            parameter cannot be given by name.
    """
    return tuple(_marked(function, frame_locals))


def _marked(function: Callable[..., Any], frame_locals: Mapping[str, Any]) -> Iterator[Marked]:
    parameters = inspect.signature(function).parameters.values()
    for position, parameter in enumerate(parameters):
        annotation = _evaluated(function, parameter, frame_locals)
        metadata = annotation.__metadata__ if typing.get_origin(annotation) is Annotated else ()
        _refuse_hidden(function, parameter.name, annotation)
        for candidate in (parameter.default, *metadata):
            marker = _marker_in(candidate)
            if marker is not None:
                keyword_only = parameter.kind is inspect.Parameter.KEYWORD_ONLY
                _refuse_unnamed(function, parameter)
                closes = isinstance(marker, _CLOSING)
                inner = _unwrapped(marker) if closes else marker
                yield Marked(parameter.name, -1 if keyword_only else position, inner, closes)
                break


def _refuse_hidden(function: Callable[..., Any], name: str, annotation: Any) -> None:
    """A marker inside an optional type would never be seen."""
    is_annotated = typing.get_origin(annotation) is Annotated
    inside = typing.get_args(annotation)[:1] if is_annotated else typing.get_args(annotation)
    for part in inside:
        if typing.get_origin(part) is Annotated and any(map(_marker_in, part.__metadata__)):
            raise WiringError(
                f"the marker of '{name}' is hidden inside its annotation",
                where=place_of(function),
                hint="Put it on the outside: `Annotated[X | None, Provide[...]]`.",
            )
        _refuse_hidden(function, name, part)


def _refuse_unnamed(function: Callable[..., Any], parameter: inspect.Parameter) -> None:
    if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
        raise WiringError(
            f"'{parameter.name}' is {parameter.kind.description} and cannot be injected",
            where=place_of(function),
            hint="Make it a parameter that can be given by its name.",
        )


def _unwrapped(closing: Any) -> Any:
    inner = closing.provider
    return inner if isinstance(inner, _MARKERS) else _PROVIDE(inner)


def _marker_in(candidate: Any) -> Any:
    """The marker itself, or the one inside `Depends(...)` of a web framework."""
    if isinstance(candidate, _MARKERS):
        return candidate
    if candidate is inspect.Parameter.empty or isinstance(candidate, type):
        return None
    inner = getattr(candidate, "dependency", None)
    return inner if isinstance(inner, _MARKERS) else None


def _evaluated(
    function: Callable[..., Any], parameter: inspect.Parameter, frame_locals: Mapping[str, Any]
) -> Any:
    annotation = parameter.annotation
    if not isinstance(annotation, str):
        return annotation
    module = sys.modules.get(function.__module__)
    try:
        return eval(annotation, dict(vars(module)) if module else {}, dict(frame_locals))  # noqa: S307 - the program's own annotation
    except Exception as error:
        if _MARKER_IN_TEXT.search(annotation) and _marker_in(parameter.default) is None:
            raise WiringError(
                f"the annotation of '{parameter.name}' cannot be evaluated: {error}",
                where=place_of(function),
                hint="Import what it mentions at the top of the module.",
            ) from error
        return annotation


class Resolver:
    """What the markers of any function mean in one container."""

    def __init__(self, container: Any) -> None:
        self.container = container
        self._map = Declared(container)

    def resolve(self, marker: Any) -> di.Provider[Any] | None:
        """The container's provider for a marker, or None when it has none."""
        wanted = marker.provider
        if hasattr(type(wanted), "found_in"):  # a type-keyed service of the container's class
            return wanted.found_in(self._map.resolve_provider)  # type: ignore[no-any-return]  # a provider
        if not isinstance(wanted, str):
            return self._map.resolve_provider(wanted, marker.modifier)
        provider = self._by_name(wanted)
        if provider is not None and marker.modifier is not None:
            modified: di.Provider[Any] = marker.modifier.modify(provider, providers_map=self._map)
            return modified
        return provider

    def knows_class_of(self, marker: Any) -> bool:
        """Whether the marker names one of this container's declared providers, or a name."""
        return isinstance(marker.provider, str) or self.resolve(marker) is not None

    def _by_name(self, name: str) -> di.Provider[Any] | None:
        if name == Declared.CONTAINER_STRING_ID:
            return self.container.__self__  # type: ignore[no-any-return]  # dependency-injector's own
        found: Any = self.container
        for segment in name.split("."):
            if isinstance(found, (di.Configuration, di.ConfigurationOption)):
                found = getattr(found, segment)
            elif segment in getattr(found, "providers", {}):
                found = found.providers[segment]
            else:
                return None
        return found  # type: ignore[no-any-return]  # a provider after the first segment


def is_marker(value: Any) -> bool:
    """Whether a value is one of dependency-injector's markers, which only `inject` fills."""
    return isinstance(value, _MARKERS)
