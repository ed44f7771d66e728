"""Writing the source of an injected call: the function's own signature, and nothing to look up."""

import inspect
import itertools
import keyword
from collections.abc import Callable
from types import FunctionType
from typing import Any, NamedTuple, cast

from containers.core import graph, plans
from containers.core.markers import Marked
from containers.core.wiring import Binding
from containers.core.writing import Shape, shape_of

_ABSENT: Any = object()
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

_numbers = itertools.count(1)


class Written(NamedTuple):
    """Code that takes a call, fills what the caller left out, and passes it on.

    Attributes:
        function: Whose code it is.
        names: The globals it uses.
        defaults: Of its positional parameters.
        keyword_defaults: Of the others.
    """

    function: FunctionType
    names: dict[str, Any]
    defaults: tuple[Any, ...]
    keyword_defaults: dict[str, Any]


def is_writable(function: Callable[..., Any], bindings: list[Binding]) -> bool:
    """Whether the call can be written: it ends nothing, and awaits only where it may."""
    awaits = inspect.iscoroutinefunction(function)
    return not any(
        parameter.closes
        or (not parameter.wants_provider and not awaits and graph.must_await(provider))
        for parameter, _, provider in bindings
    )


class Writer:
    """Writes the code of one injected function, plain or coroutine."""

    def __init__(self, function: Callable[..., Any], bindings: list[Binding]) -> None:
        self._function = function
        self._is_async = inspect.iscoroutinefunction(function)
        self._parameters = list(inspect.signature(function).parameters.values())
        self._injected = {marked.name: (marked, provider) for marked, _, provider in bindings}
        self._number = next(_numbers)
        self._names: dict[str, Any] = {}

    def written(self) -> Written:
        """The code, and what it needs."""
        positional = [one for one in self._parameters if one.kind in _POSITIONAL]
        optional = list(itertools.dropwhile(self._is_required, positional))
        named = [one for one in self._parameters if one.kind is one.KEYWORD_ONLY]
        name = self._function.__name__
        name = name if name.isidentifier() and not keyword.iskeyword(name) else "call"
        source = self._source(name, [one for one in optional if self._is_required(one)])
        return Written(
            cast("FunctionType", plans.function_of(source, name, {})),
            self._names,
            tuple(self._default(one) for one in optional),
            {one.name: self._default(one) for one in named if not self._is_required(one)},
        )

    def _source(self, name: str, late: list[inspect.Parameter]) -> str:
        """`late`: required parameters that Python wants a default for, after injected ones."""
        function = self._name("function", self._function)
        absent = self._name("absent", _ABSENT)
        lines = [f"{'async ' if self._is_async else ''}def {name}({self._declared()}):"]
        for parameter, (marked, provider) in self._injected.items():
            lines.append(f"    if {parameter} is {absent}:")
            lines.append(f"        {parameter} = {self._value(parameter, marked, provider)}")
        for one in late:
            given = ", ".join(f"{other}={other}" for other in self._injected)
            lines.append(f"    if {one.name} is {absent}:")
            lines.append(f"        {function}({given})  # raises: '{one.name}' is missing")
        passed = ", ".join(map(_passed, self._parameters))
        lines.append(f"    return {'await ' if self._is_async else ''}{function}({passed})")
        return "\n".join([*lines, ""])

    def _declared(self) -> str:
        """The parameters; what they default to belongs to the function, not to its code."""
        bare = [one.replace(default=one.empty, annotation=one.empty) for one in self._parameters]
        return str(inspect.Signature(bare))[1:-1]

    def _value(self, parameter: str, marked: Marked, provider: Any) -> str:
        """What fills a parameter: an object that is there, or a call of what makes one."""
        if marked.wants_provider:
            return self._name(f"{parameter}_provider", provider)
        shape = shape_of(provider)
        if shape is Shape.SINGLETON and provider.last_overriding is None:
            for built in provider.built():
                return self._name(f"{parameter}_object", built)
        if shape is None:
            called = self._name(f"{parameter}_provider", provider)
            value_of = self._name("value_of", graph.value_of)
            return f"await {value_of}({called})" if self._is_async else f"{called}()"
        plan = plans.answer_of(provider)
        called = self._name(f"{parameter}_plan", provider if plan == provider.uncompiled else plan)
        return f"await {called}()" if provider.is_async() else f"{called}()"

    def _is_required(self, parameter: inspect.Parameter) -> bool:
        return parameter.name not in self._injected and parameter.default is parameter.empty

    def _default(self, parameter: inspect.Parameter) -> Any:
        if parameter.name in self._injected or parameter.default is parameter.empty:
            return _ABSENT
        return parameter.default

    def _name(self, wanted: str, value: Any) -> str:
        name = f"{wanted}_{self._number}"
        self._names[name] = value
        return name


def _passed(parameter: inspect.Parameter) -> str:
    """How a parameter is handed on."""
    stars: dict[Any, str] = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}
    if parameter.kind is parameter.KEYWORD_ONLY:
        return f"{parameter.name}={parameter.name}"
    return f"{stars.get(parameter.kind, '')}{parameter.name}"
