"""Named blocks that inherit: what a block does not say is as in the one it names."""

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field, ValidationError

from infrastructure.config.models.base import Model, misfit
from infrastructure.errors import ConfigurationError, did_you_mean

ModelT = TypeVar("ModelT", bound=BaseModel)
Steps = tuple[str | int, ...]


class Inheriting(Model):
    """A block in a mapping of names to blocks."""

    inherits: str | None = Field(
        default=None, description="The name whose block says what this one does not."
    )


class Family(Generic[ModelT]):
    """The blocks of one mapping, and what each comes to with all it inherits.

    Args:
        blocks: By name. What is wrong with a number is looked for in the whole alone, so what is
            within them must fit by itself.
        whole: The model of what a block comes to; it may hold the fields to each other.
        key: The field that holds the mapping.
        called: What a block is, in a word.
    """

    def __init__(
        self, blocks: Mapping[str, Inheriting], whole: type[ModelT], *, key: str, called: str
    ) -> None:
        self._blocks = blocks
        self._whole = whole
        self._key = key
        self._called = called

    def resolved(self, name: str) -> ModelT:
        """What the block of a name comes to; blocks inside blocks are merged, too.

        Raises:
            ConfigurationError: A name is unknown or inherits itself, or what was said in several
                blocks makes no sense together.
        """
        merged: dict[str, Any] = {}
        for _, block in self._line(name):
            _fill(merged, block)
        merged.pop("inherits", None)
        try:
            return self._whole.model_validate(merged)
        except ValidationError as error:
            wrong = error.errors()
        raise self._misfit(name, wrong)

    def saying(self, name: str, *steps: str) -> str:
        """The name of the block that a field comes from; of the first when nobody says it."""
        line = list(self._line(name))
        return next((each for each, block in line if _says(block, steps)), name)

    def check(self) -> None:
        """Resolve every block.

        Raises:
            ValidationError: With all that is wrong, each at its place below the mapping. What is
                wrong with a block is not said again of those that inherit it.
        """
        wrong: dict[str, _MisfitError] = {}
        for name in self._blocks:
            try:
                self.resolved(name)
            except _MisfitError as error:
                wrong[name] = error
        if wrong:
            own = [error for name, error in wrong.items() if not self._is_heired(name, wrong)]
            title = self._whole.__name__
            by_place = {error.steps: error for error in own}.values()
            details = [error.details() for error in by_place]
            raise ValidationError.from_exception_data(title, details, hide_input=True)

    def _is_heired(self, name: str, wrong: Mapping[str, "_MisfitError"]) -> bool:
        """Whether numbers do not fit, and do not in the block that is inherited either."""
        return not wrong[name].is_about_names and self._blocks[name].inherits in wrong

    def _line(self, name: str) -> Iterator[tuple[str, Inheriting]]:
        """The block of a name and those it inherits, nearest first."""
        way: list[str] = []
        step: str | None = name
        while step is not None:
            if step in way or step not in self._blocks:
                raise self._lost(step, way)
            way.append(step)
            yield step, self._blocks[step]
            step = self._blocks[step].inherits

    def _lost(self, step: str, way: list[str]) -> "_MisfitError":
        if step in way:
            # The same words and the same place, wherever the circle was entered.
            circle = way[way.index(step) :]
            first = circle.index(min(circle))
            circle = [*circle[first:], *circle[: first + 1]]
            what = f"'{circle[0]}' inherits itself: {' -> '.join(circle)}"
            hint = "End the line at one that inherits nothing."
            return _MisfitError(what, (self._key, circle[0], "inherits"), hint)
        place: Steps = (self._key, way[-1], "inherits") if way else (self._key,)
        known = sorted(self._blocks.keys() - set(way))  # those of the way would close a circle
        hint = f"{did_you_mean(step, known)}Known: {', '.join(known) or 'none'}."
        return _MisfitError(f"no {self._called} '{step}'", place, hint)

    def _misfit(self, name: str, wrong: list[Any]) -> "_MisfitError":
        reasons = [str(each["msg"]).removeprefix("Value error, ") for each in wrong]
        inside: Steps = wrong[0]["loc"] if len(wrong) == 1 else ()
        return _MisfitError("; ".join(reasons), (self._key, name, *inside))


class _MisfitError(ConfigurationError):
    """What is wrong with a block, and where below the model that holds the mapping."""

    def __init__(self, what: str, steps: Steps, hint: str = "") -> None:
        super().__init__(what, where=".".join(map(str, steps)), hint=hint)
        self.steps = steps

    @property
    def is_about_names(self) -> bool:
        """Whether a name is wrong, rather than a number."""
        return bool(self.hint)

    def details(self) -> Any:
        """The same for the report of a model."""
        text = f"{self.what}. {self.hint}".rstrip(". ")
        return misfit(self.steps, text)


def _fill(merged: dict[str, Any], block: BaseModel) -> None:
    """Add what is not said yet."""
    for field in block.model_fields_set:
        value = getattr(block, field)
        if isinstance(value, BaseModel):
            inner = merged.setdefault(field, {})
            if isinstance(inner, dict):
                _fill(inner, value)
        else:
            merged.setdefault(field, value)


def _says(block: BaseModel, steps: tuple[str, ...]) -> bool:
    found: Any = block
    for step in steps:
        if not isinstance(found, BaseModel) or step not in found.model_fields_set:
            return False
        found = getattr(found, step)
    return True
