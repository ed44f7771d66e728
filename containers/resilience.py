"""The container of the part `resilience`: pipelines by name."""

from containers import providers
from containers.core.container import DeclarativeContainer
from infrastructure.config import Settings
from infrastructure.resilience.pipeline import Pipeline
from infrastructure.resilience.policies import Policies
from infrastructure.resilience.storage import Connections


def policies_of(settings: Settings, connections: Connections | None = None) -> Policies:
    """Every policy of the settings, and which block names which."""
    return Policies(
        settings.resilience,
        named=settings.policies_named(),
        profiles=settings.profiles,
        connections=connections,
        namespace=settings.app.name,
    )


def policy_of(registry: Policies, name: str) -> Pipeline:
    """The pipeline of a policy, or the one around the provider at a path."""
    return registry.policy(name)


class ResilienceContainer(DeclarativeContainer):
    """Policies: `policy("patient")` by name, `policy("llm.default")` of a provider's calls.

    The root container gives `registry` its `connections`: what finds the provider at a path, for
    limits that all processes count in one Redis.
    """

    settings = providers.Dependency(instance_of=Settings)
    registry = providers.Singleton(policies_of, settings)
    policy = providers.Callable(policy_of, registry)
