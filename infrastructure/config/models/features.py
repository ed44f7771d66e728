"""Feature flags."""

from typing import Annotated

from pydantic import ConfigDict, Field, RootModel

#: A flag's name: a lower-case identifier, so that `FEATURE_FLAG_<NAME>` can set it.
FlagName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Features(RootModel[dict[FlagName, bool]]):
    """The block `features:`, a flag's name and whether it is on."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    root: dict[FlagName, bool] = Field(default_factory=dict)

    def is_enabled(self, name: str) -> bool:
        """Whether a flag is on.

        A flag that nobody set is off: code may ask for it before any profile names it.
        """
        return self.root.get(name, False)
