"""What the container of every part has: its settings, a default, and named instances."""

from collections.abc import Callable
from typing import Any

from containers import providers
from containers.core.choices import Choice
from containers.core.container import DeclarativeContainer
from infrastructure.config import Settings
from infrastructure.config.models.base import Block, Named
from infrastructure.config.origins import Layer, Origin, Source
from infrastructure.errors import ConfigurationError
from infrastructure.registry import PARTS, registry_of
from infrastructure.resilience.policies import Policies

#: Who decided, by the layer that won.
_DECIDED = {
    Layer.DEFAULT: "no file names one, so it is the model's default",
    Layer.PACKAGED: "the packaged base file names it",
    Layer.PACKAGED_PROFILE: "the packaged profile '{profile}' names it",
    Layer.HOST: "your base file names it",
    Layer.HOST_PROFILE: "your profile '{profile}' names it",
    Layer.SECRETS: "the secrets directory names it",
    Layer.ENVIRONMENT: "the environment sets it",
    Layer.OVERRIDE: "an override sets it",
}


class PartContainer(DeclarativeContainer):
    """One part; `instances` is filled from the settings when the root container is made."""

    instances = providers.Group()


def component(part: str, port: type, make: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """A function from (settings provider, path) to the managed provider of that block.

    Args:
        part: The part, such as `vector`.
        port: What dependants expect; overriding values are held to it.
        make: Builds the object from (settings, part, path); by default the registered backend.
    """

    def managed(settings: Any, path: str) -> providers.Managed[Any]:
        provider: providers.Managed[Any] = providers.Managed(
            make or create, settings, part=part, path=path
        )
        provider.port = port
        return provider

    return managed


def create(settings: Settings, part: str, path: str, policies: Policies | None = None) -> Any:
    """The backend of the block at `<part>.<path>`, inside the policy it names; no I/O.

    Raises:
        ConfigurationError: There is no such block, or nobody has handed in the policies.
    """
    block = block_at(settings, part, path)
    made = registry_of(part).create(block, name=f"{part}.{path}")
    if block.policy is not None:
        if policies is None:
            raise ConfigurationError(
                f"its policy '{block.policy}' is known to the root container only",
                where=f"{part}.{path}",
                hint="Build it by `Container(...)`.",
            )
        made.policy = policies.policy(f"{part}.{path}")
    return made


def block_at(settings: Settings, part: str, path: str) -> Block:
    """The block of the settings at `<part>.<path>`.

    Raises:
        ConfigurationError: The active profile has no such instance.
    """
    configured: Named[Any] = getattr(settings, part)
    blocks = configured.blocks()
    if path not in blocks:
        raise ConfigurationError(
            f"not configured in profile {', '.join(settings.profiles)}",
            where=f"{part}.{path}",
            hint=f"Configured: {', '.join(sorted(blocks))}.",
        )
    found: Block = blocks[path]
    return found


def choice(settings: Settings, path: str) -> Choice | None:
    """Why the block at a dotted path is of its kind; None where there is no block."""
    part, _, inside = path.partition(".")
    block = getattr(settings, part).blocks().get(inside) if part in PARTS else None
    if block is None:
        return None
    origin = settings.origin(f"{path}.kind")
    kinds = registry_of(part).kinds()
    return Choice(block.kind, str(origin), _reason(origin), kinds, _policy(settings, path, block))


def _policy(settings: Settings, path: str, block: Block) -> str:
    """The policy that a block names, what it is made of and who named it; empty for none."""
    if block.policy is None:
        return ""
    origin = settings.origin(f"{path}.policy")
    made_of = settings.resilience.policy(block.policy).model_dump(exclude_none=True)
    return f"{block.policy} ({', '.join(made_of)}), from {origin}: {_reason(origin)}"


def _reason(origin: Origin) -> str:
    """What decided, in words; variables by name only."""
    if origin.layer is Layer.ENVIRONMENT:
        return _DECIDED[origin.layer]
    decided = _DECIDED[origin.layer].format(profile=origin.profile)
    found = {
        each.name: f"{each.name} is unset"
        if each.source in {Source.DEFAULT, Source.UNSET}
        else f"{each.name} is set"
        for each in origin.references
    }
    return f"{decided}; {', '.join(found.values())}" if found else decided
