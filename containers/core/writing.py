"""Writing the source of a plan: the function that answers the calls of one provider."""

import builtins
from typing import Any

from containers.core import scopes
from containers.core.bodies import Body
from containers.core.names import word_of
from containers.core.shapes import Shape, shape_of


def written(provider: Any) -> tuple[str, str, dict[str, Any]]:
    """The source of a scoped provider's or a factory's plan, the function's name, its globals."""
    is_async, is_scoped = provider.is_async(), shape_of(provider) is Shape.SCOPED
    body = Body(is_async=is_async)
    name = body.local(word_of(provider))
    result = body.expression(provider)
    body.lines.append(f"    return {result}")
    if is_scoped and is_async:
        source = _async_scoped(provider, name, body)
    else:
        source = _plain(provider, name, body, is_async=is_async, is_scoped=is_scoped)
    return source, name, {**body.names, "__builtins__": builtins}


def _plain(provider: Any, name: str, body: Body, *, is_async: bool, is_scoped: bool) -> str:
    """One function; a factory asks for the scope of the scoped ones it needs."""
    awaited = "await " if is_async else ""
    uncompiled = body.name("uncompiled", provider.uncompiled)
    defined = f"{'async ' if is_async else ''}def {name}"
    lines = [
        f"{defined}(*args, **kwargs):",
        "    if args or kwargs:",
        f"        return {awaited}{uncompiled}(*args, **kwargs)",
    ]
    if is_scoped:
        lines = [f"{defined}():"]
    if body.needs_scope:
        lines += [
            f"    scope = {body.name('current', scopes.current)}()",
            f"    if {outside(body, is_async=is_async)}:",
            f"        return {awaited}{uncompiled}()",
            "    cells = scope.cells",
        ]
    return "\n".join([*lines, *body.lines, ""])


def _async_scoped(provider: Any, name: str, body: Body) -> str:
    """Two functions: the scope is the one of the call, wherever its coroutine is awaited."""
    make = body.local(f"make_{name}")
    key = body.name(f"{name}_provider", provider)
    current = body.name("current", scopes.current)
    uncompiled = body.name("uncompiled", provider.uncompiled)
    return "\n".join(
        [
            f"def {name}():",
            f"    scope = {current}()",
            f"    if {outside(body, is_async=True)}:",
            f"        return {uncompiled}()",
            f"    return {make}(scope)",
            "",
            f"async def {make}(scope):",
            f"    if {current}() is not scope or scope.layout is not {body.name_of_layout()}:",
            f"        with scope.as_current({key}):",
            f"            return await {uncompiled}()",
            "    cells = scope.cells",
            *body.lines,
            "",
        ]
    )


def outside(body: Body, *, is_async: bool) -> str:
    """The condition under which the lines must not be run in `scope`."""
    closed = " or scope.pending is None" if is_async else ""
    return f"scope is None or scope.layout is not {body.name_of_layout()}{closed}"
