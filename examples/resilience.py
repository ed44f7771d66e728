"""A policy from the YAML around a model's calls: retries, a circuit, and a clock that is moved."""

import asyncio

from containers import Container
from infrastructure.errors import InfrastructureError, UnavailableError
from infrastructure.llm import BaseLLMProvider
from infrastructure.resilience import ManualClock, Policies

OVERRIDES = {
    "resilience.policies": {
        "patient": {
            "timeout_seconds": 10,
            "retry": {"max_attempts": 3, "initial_delay_seconds": 0.5, "jitter": 0},
        },
        "careful": {
            "inherits": "patient",
            "breaker": {"window_calls": 4, "minimum_calls": 4, "open_seconds": 30, "jitter": 0},
        },
    },
    "llm.default.policy": "careful",
    "logging.level": "ERROR",
}


async def ask(llm: BaseLLMProvider, question: str) -> None:
    try:
        print(question, "-", (await llm.generate(question)).content)
    except InfrastructureError as error:
        print(question, "-", error)


async def main() -> None:
    container, clock = Container(profile="test", overrides=OVERRIDES), ManualClock()
    settings = container.settings()
    policies = Policies(settings.resilience, named=settings.policies_named(), clock=clock)
    with container.override({"resilience.registry": policies}):
        async with container:
            llm = container.llm.default()
            down = UnavailableError("connection reset", where="llm.default")

            llm.script(down, down, "Third time lucky.")
            await ask(llm, "Once")
            print("waited", clock.sleeps, "seconds, and nobody did")

            llm.script(down)  # three failures of four: the circuit opens
            await ask(llm, "Twice")
            clock.advance(30)
            await ask(llm, "Thrice")
            print(container.resilience.policy("llm.default"))


asyncio.run(main())
