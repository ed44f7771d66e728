"""Writing the lines that make an object, with all it is made of.

They do what `uncompiled` does, in the same order: constructors of transient objects are written
into one another, built singletons are names, scoped objects are looked up in the scope and made
there. Whatever is not written out (providers that are overridden, foreign, or of a user's own
class) is called as the provider it is.
"""

from collections.abc import Iterable
from typing import Any

from dependency_injector import providers as di

from containers.core import endings, graph, scopes, shielding
from containers.core.layouts import BUSY, MISSING
from containers.core.names import Names, target_word, word_of
from containers.core.shapes import Shape, is_writable, shape_of
from containers.core.targets import Target, target_of

#: A plan grows no further; what comes after is called.
MOST_CONSTRUCTORS = 100

#: Nor deeper: Python nests 20 blocks, 100 indentations and 200 parentheses.
MOST_NESTED = 16

_ENDS = {
    Target.GENERATOR: endings.end_generator,
    Target.CONTEXT: endings.end_context,
    Target.ASYNC_GENERATOR: endings.end_async_generator,
    Target.ASYNC_CONTEXT: endings.end_async_context,
}


class Body(Names):
    """The lines of one function, as far as they make objects.

    What is written needs the names `scope` and `cells` where `needs_scope` says so: a scope whose
    layout is `layout`, opened with `async with` where `is_async`, and its cells.

    Args (of the constructor):
        is_async: Whether the lines may await.
        taken: Names that mean something else in the function.
        suffix: What the names of its globals end with.

    Attributes:
        names: The globals, by name.
        lines: What is written so far, indented for `depth`.
    """

    def __init__(self, *, is_async: bool, taken: Iterable[str] = (), suffix: str = "") -> None:
        super().__init__(taken=taken, suffix=suffix)
        self.lines: list[str] = []
        self.needs_scope = False
        self._is_async = is_async
        scope = scopes.current()
        self._layout = scope.layout if scope is not None else None
        self._depth = 1
        self._is_locked = False
        self._constructors = 0
        self._above: list[Any] = []

    def expression(self, provider: Any, *, depth: int = 1) -> str:
        """What gives the provider's object, after the lines that are written for it.

        Args:
            provider: The root; everything it needs is written with it.
            depth: How deep the lines are indented.
        """
        self._depth = depth
        return self._node(provider)

    def name_of_layout(self) -> str:
        """The global that the scope's layout must be."""
        return self.name("layout", self._layout)

    def _line(self, text: str) -> None:
        self.lines.append("    " * self._depth + text)

    def _node(self, provider: Any) -> str:
        """An expression for a provider's object; statements it needs are written before it."""
        provider = self._followed(provider)
        shape = shape_of(provider)
        if shape is Shape.CONSTANT and provider.last_overriding is None:
            return self.value(provider.provides)
        if shape is Shape.SINGLETON and provider.last_overriding is None:
            for built in provider.built():
                return self.name(word_of(provider), built)
        if not self._is_inlined(provider):
            return self._called(provider)
        self._above.append(provider)
        self._constructors += 1
        try:
            if shape is not Shape.SCOPED:
                return self._transient(provider)
            return self._async_scoped(provider) if provider.is_async() else self._scoped(provider)
        finally:
            self._above.pop()

    def _followed(self, provider: Any) -> Any:
        """The provider that stands in for it by an override of dependency-injector's."""
        stand_in = provider.last_overriding
        while stand_in is not None and shape_of(provider) and shape_of(stand_in):
            if provider.is_async() != stand_in.is_async() or stand_in in self._above:
                break
            provider, stand_in = stand_in, stand_in.last_overriding
        return provider

    def _is_inlined(self, provider: Any) -> bool:
        return (
            is_writable(provider)
            and provider.last_overriding is None
            and provider not in self._above
            and self._constructors < MOST_CONSTRUCTORS
            and len(self._above) < MOST_NESTED
            and (shape_of(provider) is not Shape.SCOPED or self._has_place(provider))
        )

    def _has_place(self, provider: Any) -> bool:
        """Whether a scoped one is kept in the layout; and an async plan holds no lock."""
        placed = self._layout is not None and provider in self._layout.index
        return placed and self._is_async == provider.is_async()

    def _called(self, provider: Any) -> str:
        name = self.name(f"{word_of(provider)}_provider", provider)
        if not self._is_async:
            return f"{name}()"
        if shape_of(provider):
            return f"(await {name}())" if provider.is_async() else f"{name}()"
        return f"(await {self.name('value_of', graph.value_of)}({name}))"

    def _transient(self, provider: Any) -> str:
        made = self._construction(provider)
        attributes = getattr(provider, "attributes", None)
        if not attributes:
            return made
        local = self.local(f"{word_of(provider)}_made")
        self._line(f"{local} = {made}")
        for name, injection in attributes.items():
            self._line(f"{local}.{name} = {self._argument(injection)}")
        return local

    def _construction(self, provider: Any, *, is_kept: bool = False) -> str:
        """The call of the target, awaited where it is a coroutine function.

        `is_kept`: each argument becomes a name, so that what is awaited is over before the call.
        """
        injections = [*provider.args, *provider.kwargs.values()]
        given: list[str] = []
        last = max((i for i, one in enumerate(injections) if self._writes_lines(one)), default=-1)
        for position, injection in enumerate(injections):
            text = self._argument(injection)
            if (position < last or is_kept) and not text.isidentifier():
                local = self.local("argument")
                self._line(f"{local} = {text}")
                text = local
            given.append(text)
        count = len(provider.args)
        named = [
            f"{name}={text}" for name, text in zip(provider.kwargs, given[count:], strict=True)
        ]
        target = self.name(target_word(provider.provides), provider.provides)
        call = f"{target}({', '.join([*given[:count], *named])})"
        awaits = (
            shape_of(provider) is Shape.CALL and target_of(provider.provides) is Target.COROUTINE
        )
        return f"(await {call})" if awaits and self._is_async else call

    def _argument(self, injection: Any) -> str:
        if isinstance(injection, di.Provider) and not di.is_delegated(injection):
            return self._node(injection)
        return self.value(injection)

    def _writes_lines(self, injection: Any) -> bool:
        """Whether an argument needs statements before the expression it stands in."""
        if not isinstance(injection, di.Provider) or di.is_delegated(injection):
            return False
        provider = self._followed(injection)
        if not self._is_inlined(provider):
            return False
        if shape_of(provider) is Shape.SCOPED or getattr(provider, "attributes", None):
            return True
        self._above.append(provider)
        try:
            return any(map(self._writes_lines, (*provider.args, *provider.kwargs.values())))
        finally:
            self._above.pop()

    def _scoped(self, provider: Any) -> str:
        """Look the object up, and make it under the scope's lock; locked already, just make it."""
        local, cell = self._looked_up(provider)
        depth, is_outermost = self._depth, not self._is_locked
        self._depth += 1
        if is_outermost:
            self._is_locked = True
            self._line("scope.acquire()")
            self._line("try:")
            self._depth += 1
            self._line(f"{local} = {cell}")
            self._line(f"if {local} is {self._missing}:")
            self._depth += 1
        construction = self._construction(provider)
        self._entered(target_of(provider.provides), construction, cell, local)
        if is_outermost:
            self._is_locked = False
            self._depth = depth + 1
            self._line("finally:")
            self._line("    scope.release()")
        self._depth = depth
        return local

    def _looked_up(self, provider: Any) -> tuple[str, str]:
        """A name for the object and its place, after the lines that look whether it is there."""
        assert self._layout is not None  # noqa: S101 - a scoped one is written where it has a place
        self.needs_scope = True
        local = self.local(word_of(provider))
        cell = f"cells[{self._layout.index[provider]}]"
        self._line(f"{local} = {cell}")
        self._line(f"if {local} is {self._missing}:")
        return local, cell

    def _entered(self, kind: Target, construction: str, cell: str, local: str) -> None:
        """Keep the object, and note how it ends, where nothing is awaited."""
        if kind not in _ENDS:
            self._line(f"{local} = {cell} = {construction}")
            return
        opened = self.local(f"{local}_opened")
        self._line(f"{opened} = {construction}")
        self._started(kind, opened, local)
        self._line(f"{cell} = {local}")
        self._noted(f"({self._end(kind)}, {opened}, False)")

    def _noted(self, ending: str) -> None:
        self._line("if scope.endings is None:")
        self._line(f"    scope.endings = [{ending}]")
        self._line("else:")
        self._line(f"    scope.endings.append({ending})")

    def _first(self, step: str, stop: str, opened: str, local: str) -> None:
        yielded_nothing = self.name("yielded_nothing", endings.yielded_nothing)
        self._line("try:")
        self._line(f"    {local} = {step}")
        self._line(f"except {stop}:")
        self._line(f"    raise {yielded_nothing}({opened}) from None")

    def _async_scoped(self, provider: Any) -> str:
        """Look the object up, and make it, where other tasks may be making it too."""
        kind = target_of(provider.provides)
        local, cell = self._looked_up(provider)
        self._depth += 1
        if kind.is_async or not self._is_repeatable(provider):
            self._claimed(provider, kind, cell, local)
        else:
            construction = self._construction(provider, is_kept=True)
            # while the arguments were awaited, the scope may have ended or another task been faster
            key = self.name(word_of(provider) + "_provider", provider)
            self._line(f"if scope.layout is not {self.name_of_layout()}:")
            self._line(f"    await scope.refuse_late({key}, None, None, is_async=False)")
            self._line(f"{local} = {cell}")
            self._line(f"if {local} is {self._missing}:")
            self._depth += 1
            self._entered(kind, construction, cell, local)
            self._depth -= 1
        self._depth -= 1
        self._line(f"if {local} is {self.name('busy', BUSY)}:")
        key = self.name(word_of(provider) + "_provider", provider)
        self._line(f"    {local} = await {key}.uncompiled()")
        return local

    def _is_repeatable(self, provider: Any) -> bool:
        """Whether asking for its arguments twice makes nothing twice."""
        injections = (*provider.args, *provider.kwargs.values())
        followed = [self._followed(one) for one in injections if isinstance(one, di.Provider)]
        return all(
            shape_of(one) in {Shape.CONSTANT, Shape.SCOPED, Shape.SINGLETON} for one in followed
        )

    def _claimed(self, provider: Any, kind: Target, cell: str, local: str) -> None:
        """Make the object while other tasks wait for it."""
        key = self.name(word_of(provider) + "_provider", provider)
        self._line(f"{cell} = {self.name('busy', BUSY)}")
        self._line("try:")
        self._depth += 1
        construction = self._construction(provider)
        opened = self.local(f"{local}_opened")
        self._line(f"{opened} = {construction}")
        self._started(kind, opened, local)
        end = self._end(kind) if kind in _ENDS else "None"
        finish = self.name("finish", shielding.finish)
        self._line(f"if scope.layout is not {self.name_of_layout()}:")
        late = f"scope.refuse_late({key}, {end}, {opened}, is_async={kind.is_async})"
        self._line(f"    await {finish}({late})")
        self._depth -= 1
        self._line("except BaseException:")
        self._line(f"    scope.gave_up({key})")
        self._line("    raise")
        self._line(f"{cell} = {local}")
        if kind in _ENDS:
            self._noted(f"({end}, {opened}, {kind.is_async})")
        self._line("if scope.pending:")
        self._line(f"    scope.tell({key})")

    def _started(self, kind: Target, opened: str, local: str) -> None:
        if kind is Target.ASYNC_GENERATOR:
            self._first(f"await {opened}.asend(None)", "StopAsyncIteration", opened, local)
        elif kind is Target.GENERATOR:
            self._first(f"next({opened})", "StopIteration", opened, local)
        else:
            step = {
                Target.COROUTINE: f"await {opened}",
                Target.ASYNC_CONTEXT: f"await {opened}.__aenter__()",
                Target.CONTEXT: f"{opened}.__enter__()",
            }
            self._line(f"{local} = {step.get(kind, opened)}")

    def _end(self, kind: Target) -> str:
        return self.name(_ENDS[kind].__name__, _ENDS[kind])

    @property
    def _missing(self) -> str:
        return self.name("missing", MISSING)
