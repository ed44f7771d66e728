"""Writing the source of an injected call: the function's own signature, and nothing to look up."""

import inspect
import itertools
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from containers.core import graph, plans, scopes, writing
from containers.core.bodies import Body
from containers.core.markers import Marked
from containers.core.names import FIXED
from containers.core.shapes import Shape, is_plain_name, shape_of
from containers.core.shapes import is_writable as is_written_out
from containers.core.wiring import Binding

#: What makes an object is written into the call, if it is not longer.
MOST_LINES = 40

_ABSENT: Any = object()
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

#: What a function has whose signature is not its own.
_TELLS_ANOTHER = {"__wrapped__", "__signature__"}

_numbers = itertools.count(1)


class Written(NamedTuple):
    """Code that takes a call, fills what the caller left out, and passes it on.

    Attributes:
        code: Of a function that takes the call.
        names: The globals it uses.
        defaults: Of its positional parameters.
        keyword_defaults: Of the others.
    """

    code: CodeType
    names: dict[str, Any]
    defaults: tuple[Any, ...]
    keyword_defaults: dict[str, Any]


def is_writable(function: Callable[..., Any], bindings: list[Binding]) -> bool:
    """Whether the call can be written: it ends nothing, and awaits only where it may.

    And the signature is the function's own: a decorated one may take by name only what it shows
    as taken by position.
    """
    if not isinstance(function, FunctionType) or _TELLS_ANOTHER & function.__dict__.keys():
        return False
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
        name = name if is_plain_name(name) else "call"
        source = self._source(name, [one for one in optional if self._is_required(one)])
        own: dict[str, Any] = {}
        code = plans.function_of(source, name, own).__code__
        own.clear()  # the function in it would keep the code
        return Written(
            code,
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
            lines += [f"        {line}" for line in self._filled(parameter, marked, provider)]
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

    def _filled(self, parameter: str, marked: Marked, provider: Any) -> list[str]:
        """The lines that fill a parameter."""
        if not marked.wants_provider and self._is_inlined(provider):
            lines = self._inlined(parameter, provider)
            if len(lines) <= MOST_LINES:
                return lines
        return [f"{parameter} = {self._value(parameter, marked, provider)}"]

    def _is_inlined(self, provider: Any) -> bool:
        """Whether what makes the object is written here, and not called."""
        own = {one.name for one in self._parameters}
        return provider.last_overriding is None and is_written_out(provider) and not own & FIXED

    def _inlined(self, parameter: str, provider: Any) -> list[str]:
        is_async = provider.is_async()
        taken = [*self._names, *(one.name for one in self._parameters)]
        body = Body(is_async=is_async, taken=taken, suffix=f"_{self._number}_{parameter}")
        result = body.expression(provider, depth=0)
        lines = [*body.lines, f"{parameter} = {result}"]
        if body.needs_scope:
            asked = f"{'await ' if is_async else ''}{body.name('provider', provider)}()"
            lines = [
                f"scope = {body.name('current', scopes.current)}()",
                f"if {writing.outside(body, is_async=is_async)}:",
                f"    {parameter} = {asked}",
                "else:",
                "    cells = scope.cells",
                *(f"    {line}" for line in lines),
            ]
        self._names |= body.names
        return lines

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
        while any(one.name == name for one in self._parameters):
            name += "_"
        self._names[name] = value
        return name


def _passed(parameter: inspect.Parameter) -> str:
    """How a parameter is handed on."""
    stars: dict[Any, str] = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}
    if parameter.kind is parameter.KEYWORD_ONLY:
        return f"{parameter.name}={parameter.name}"
    return f"{stars.get(parameter.kind, '')}{parameter.name}"
