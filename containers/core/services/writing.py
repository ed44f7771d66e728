"""Writing a plan's call as Python.

A class whose arguments are known becomes one line, the transients it needs inside it; what is kept
is looked up there. Whatever asks the container by itself, or ends by more than a call, is called.
"""

import builtins
from typing import TYPE_CHECKING, Any

from containers.core.services import generics
from containers.core.services.ends import ways_to_end
from containers.core.services.making import placed
from containers.core.services.plans import Candidate, Dependency, Facts, Given, Many, Plan
from containers.core.services.registrations import ServiceLifetime

if TYPE_CHECKING:
    from containers.core.services.compiling import Compiler

#: Objects written into one line; what is more is called.
_LONGEST = 40

#: Stands where nothing is kept; None is an object too.
MISSING: Any = object()
#: How classes without a will of their own make objects.
_CALLED: Any = type.__call__
_NEW: Any = object.__new__


def plain_class(plan: Plan) -> type | None:
    """The class whose call makes one new object of exactly it."""
    cls = generics.class_of(plan.constructor.call)
    if not isinstance(cls, type):
        return None
    is_plain = type(cls).__call__ is _CALLED and cls.__new__ is _NEW
    return cls if is_plain else None


class Writer:
    """Writes one function; every object it mentions has a name in its globals."""

    def __init__(self, compiler: "Compiler", name: str) -> None:
        self._compiler = compiler
        self._name = name
        self._globals: dict[str, Any] = {"_missing": MISSING, "__name__": __name__}
        self._left = _LONGEST

    def written(self, plan: Plan, cell: Any = None) -> Any:
        """The call of a plan, as a function of the provider that asks.

        Args:
            plan: What is called.
            cell: Where the scope keeps it.
        """
        text = f"def written(asker, store=None):\n    return {self._call(plan)}\n"
        if cell is not None:
            text = (
                "def written(asker, store):\n"
                f"    made = store.objects[{self._named(cell)}] = {self._call(plan)}\n"
                "    return made\n"
            )
        code = builtins.compile(text, f"plan of service {self._name}", "exec")
        self._globals["__loader__"] = _Text(text)
        exec(code, self._globals)  # noqa: S102 - the text above mentions names given here only
        return self._globals["written"]

    def _call(self, plan: Plan) -> str:
        arguments = []
        in_order = plan.constructor.is_in_order
        for place, (parameter, dependency) in enumerate(plan.arguments):
            is_next = in_order and plan.constructor.parameters[place] is parameter
            in_order = is_next and not parameter.is_keyword_only
            is_named = not (in_order or parameter.is_positional_only)
            name = f"{parameter.name}=" if is_named else ""
            arguments.append(f"{name}{self._value(dependency)}")
        return f"{self._named(plan.constructor.call)}({', '.join(arguments)})"

    def _value(self, dependency: Dependency) -> str:
        if isinstance(dependency, Given):
            return self._named(dependency.value)
        if isinstance(dependency, Many):
            return f"[{', '.join(self._object(one) for one in dependency.candidates)}]"
        return self._object(dependency.candidate)

    def _object(self, candidate: Candidate) -> str:
        registration, compiler = candidate.registration, self._compiler
        if registration.is_ready:
            return self._named(registration.target)
        if registration.lifetime is ServiceLifetime.SCOPED and registration.provider is None:
            return self._scoped(candidate)
        get = f"{self._named(compiler.of(candidate))}(asker)"
        if registration.is_builtin or registration.provider is not None:
            return get
        facts = compiler.planner.facts(candidate)
        if registration.lifetime is ServiceLifetime.TRANSIENT:
            return self._inlined(candidate, facts) or get
        if facts.providers:
            return get
        place = placed(candidate, facts, compiler.root, compiler.planner.catalog.layers)
        return self._found(self._named(place.keeper.objects), place.cell, get)

    def _scoped(self, candidate: Candidate) -> str:
        """What the scope has already, or what is made for it; its lock is held."""
        facts = self._compiler.planner.facts(candidate)
        if facts.providers:
            return f"{self._named(self._compiler.of(candidate))}(asker)"
        cell = self._compiler.root.cell(candidate, facts.layers)
        keep = f"{self._named(self._compiler.keeper(candidate, facts))}(asker, asker.store)"
        return self._found("asker.store.objects", cell, keep)

    def _found(self, objects: str, cell: Any, otherwise: str) -> str:
        found = f"(found := {objects}.get({self._named(cell)}, _missing))"
        return f"(found if {found} is not _missing else {otherwise})"

    def _inlined(self, candidate: Candidate, facts: Facts) -> str:
        """The call itself, for a plain class that ends nothing; else nothing."""
        plan = self._compiler.planner.plan(candidate)
        cls = plain_class(plan)
        self._left -= 1
        is_short = self._left > 0 and not facts.is_traced
        return self._call(plan) if is_short and cls and ways_to_end(cls) is None else ""

    def _named(self, value: Any) -> str:
        name = f"n{len(self._globals)}"
        self._globals[name] = value
        return name


class _Text:
    """Lets tracebacks show the line."""

    def __init__(self, text: str) -> None:
        self._text = text

    def get_source(self, _name: str) -> str:
        """The text."""
        return self._text
