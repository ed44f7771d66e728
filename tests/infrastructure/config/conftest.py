"""Throw-away kinds for every part, and a host folder that uses them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, Literal, get_type_hints

import pytest
from pydantic import Field, SecretStr, field_validator, model_validator

from infrastructure.config import Settings, load_settings
from infrastructure.config.models.base import Block, Model, SecretUrl
from infrastructure.registry import PARTS, registry_of

BASE = "".join(
    f"{part}: {{default: {{kind: fake}}}}\n" for part in sorted(PARTS) if part != "external"
)


class Inner(Model):
    """A mapping inside a block."""

    size: int = 1
    name: str = ""


class FakeSettings(Block):
    """One field of every sort."""

    kind: str = "fake"
    count: int = Field(default=1, ge=0)
    ratio: float = 0.5
    flag: bool = False
    text: str = "model"
    maybe: str | None = None
    anything: Any = None
    either: int | str = 0
    path: Path = Path()
    mode: Literal["fast", "safe"] = "safe"
    password: SecretStr | None = None
    url: SecretUrl | None = None
    tags: tuple[str, ...] = ()
    numbers: list[int] = Field(default_factory=list)
    labels: dict[str, str] = Field(default_factory=dict)
    inner: Inner = Inner()
    inners: dict[str, Inner] = Field(default_factory=dict)


class NeedySettings(Block):
    """Fields without a default, and authors' own checks that quote what they refuse."""

    kind: str = "needy"
    needed: str
    number: int
    token: SecretStr
    quoted: str = ""
    pair: str = ""

    @field_validator("quoted")
    @classmethod
    def _refuse(cls, value: str) -> str:
        if value:
            msg = f"does not like '{value}'"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _check_pair(self) -> "NeedySettings":
        if self.pair:
            msg = f"the pair {self.pair} and {self.token.get_secret_value()} do not match"
            raise ValueError(msg)
        return self


KINDS = {"fake": FakeSettings, "needy": NeedySettings}


@pytest.fixture
def _kinds() -> Iterator[None]:
    with ExitStack() as stack:
        for part in PARTS:
            registry = registry_of(part)
            base = get_type_hints(registry.port)["settings"]
            for kind, model in KINDS.items():
                settings = type(model.__name__, (model, base), {"__module__": __name__})
                body = {"Settings": settings, "__module__": __name__}
                stack.callback(registry.unregister, kind)
                registry.register(kind)(type(f"{part}_{kind}", (registry.port,), body))
        yield


class Host:
    """A folder of resources that a test fills, in a working directory of its own."""

    Base: ClassVar[str] = BASE

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "conf"
        (self.folder / "profiles").mkdir(parents=True)
        self.write("application-base.yaml", BASE)

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file below the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def load(self, yaml: str | bytes = "", profile: Any = (), **sources: Any) -> Settings:
        """Load with `yaml` as a base file; no variable is set unless given."""
        if yaml:
            self.write("application-test.yaml", yaml)
        sources.setdefault("environ", {})
        return load_settings(profile, resources=self.folder, **sources)

    def block(self, fields: str, **sources: Any) -> Any:
        """Load one cache block, `fields` being its lines, and give it."""
        lines = "".join(f"      {line}\n" for line in fields.splitlines())
        text = f"cache:\n  instances:\n    one:\n      kind: fake\n{lines}"
        return self.load(text, **sources).cache.instances["one"]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _kinds: None) -> Host:
    monkeypatch.chdir(tmp_path)
    return Host(tmp_path)


@pytest.fixture
def problems_of() -> Callable[..., str]:
    """The report of a load that must fail."""
    from infrastructure.config import SettingsError

    def report(load: Callable[..., Any], *args: Any, **sources: Any) -> str:
        with pytest.raises(SettingsError) as caught:
            load(*args, **sources)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        return str(caught.value)

    return report
