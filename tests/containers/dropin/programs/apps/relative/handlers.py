"""What is injected."""

from dependency_injector.wiring import Provide, inject


@inject
def handle(word: str = Provide["word"]) -> str:
    return word
