from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest

import containers
from containers import Container, DeclarativeContainer, DynamicContainer, providers
from containers.core import graph
from containers.core.choices import Choice
from containers.core.explaining import Explanation, Need
from containers.errors import UnknownProviderError
from infrastructure.llm import ScriptedProvider

HERE = Path(__file__).name


class Clock:
    pass


class Store:
    def __init__(self, clock: Clock, *others: Any, url: str = "") -> None:
        self.clock = clock


class FakeStore(Store):
    def __init__(self) -> None:
        super().__init__(Clock())


def never(*_: Any) -> Any:
    raise AssertionError("explaining calls nothing")


async def slow_store() -> Store:
    return Store(Clock())


class Inner(DeclarativeContainer):
    clock: providers.Dependency[Any] = providers.Dependency(instance_of=Clock)
    store = providers.Singleton(Store, clock)


class App(DeclarativeContainer):
    config = providers.Configuration()
    clock = providers.Singleton(Clock)
    store = providers.Singleton(Store, clock, url=config.store.url.required())
    inner = providers.Container(Inner, clock=clock)
    slow = providers.Scoped(slow_store)
    page: providers.Factory[Any] = providers.Factory(never, store, providers.Factory(never, slow))
    started = providers.Managed(Clock)


def line_of(text: str) -> int:
    """The line of this file on which a statement begins."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.startswith(text))


def test_it_tells_the_target_and_where_that_was_written():
    told = App().explain("store")
    assert told.target.endswith("test_explaining.Store")
    assert told.target_place.endswith(f"{HERE}:{line_of('class Store')}")


def test_it_tells_where_the_provider_was_declared():
    app = App()
    written = line_of("    store = providers.Singleton(Store, clock, url")
    assert app.explain("store").declared_at.endswith(f"{HERE}:{written}")
    inside = line_of("    store = providers.Singleton(Store, clock)")
    assert app.explain("inner.store").declared_at.endswith(f"{HERE}:{inside}")


def test_what_was_added_later_has_no_place_of_declaration():
    app = App()
    app.set_provider("later", providers.Object(1))
    assert app.explain("later").declared_at == ""


@pytest.mark.parametrize(
    ("name", "lifetime"),
    [
        ("config", "configuration"),
        ("clock", "singleton"),
        ("inner", "container"),
        ("inner.clock", "dependency"),
        ("slow", "scoped"),
        ("page", "factory"),
        ("started", "managed"),
    ],
)
def test_it_tells_the_lifetime(name: str, lifetime: str):
    assert App().explain(name).lifetime == lifetime


def test_the_port_is_what_dependants_expect():
    app = App()
    assert app.explain("inner.clock").port.endswith("test_explaining.Clock")
    assert app.explain("store").port.endswith("test_explaining.Store")


def test_needs_are_a_tree_with_the_arguments():
    clock = Need("clock", "singleton")
    assert App().explain("inner.store").needs == (
        Need("inner.clock", "dependency", ("clock",), (clock,)),
    )


def test_options_of_a_configuration_are_told_as_the_configuration():
    needs = {need.path: need.arguments for need in App().explain("store").needs}
    assert needs == {"clock": ("clock",), "config": ("url",)}


def test_options_are_looked_through_without_making_new_ones():
    app: Any = App()
    before = set(app.config.traverse())
    app.explain("store")
    app.graph("json")
    assert set(app.config.traverse()) == before


def test_dependants_are_told_also_through_providers_without_a_name():
    app = App()
    assert app.explain("slow").used_by == ("page",)
    assert set(app.explain("clock").used_by) == {"store", "inner.clock"}


def test_whether_it_must_be_awaited_is_told():
    app = App()
    assert app.explain("slow").is_async
    assert app.explain("page").is_async
    assert not app.explain("store").is_async


def test_a_provider_of_the_class_means_that_of_the_container():
    app = App()
    assert (
        app.explain(App.inner.store) == app.explain("inner.store") == app.explain(app.inner.store)
    )


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UnknownProviderError, match="Did you mean 'store'") as caught:
        App().explain("stroe")
    assert "inner.store" in caught.value.known


def test_explaining_builds_nothing():
    app = App()
    for name in ("store", "inner.store", "page", "clock", "started"):
        app.explain(name)
    assert app.explain("clock").is_built is False
    assert app.clock.built() == ()


def test_it_tells_what_is_built_and_started():
    app = App()
    app.inner.store()
    assert app.explain("inner.store").is_built
    assert not app.explain("started").is_started
    with app:
        assert app.explain("started").is_started
    assert not app.explain("started").is_started


def test_what_is_not_one_object_is_neither_built_nor_not():
    told = App().explain("page")
    assert told.is_built is told.is_started is None


def test_a_resource_tells_whether_it_is_initialized():
    class Held(DeclarativeContainer):
        resource = providers.Resource(Clock)

    held = Held()
    assert held.explain("resource").is_built is False
    held.init_resources()
    assert held.explain("resource").is_built is True


async def test_a_resource_started_by_the_first_who_asks_is_started():
    class Held(DeclarativeContainer):
        resource = providers.Resource(slow_store)

    held = Held()
    assert held.explain("resource").is_started is False
    await held.aget("resource")
    assert held.explain("resource").is_started is True
    await held.stop()
    assert held.explain("resource").is_started is False


def test_an_override_is_told_with_its_way_and_its_reach():
    app = App()
    with app.override(store=FakeStore()):
        (one,) = app.explain("store").overridden_by
    assert one.by.endswith("test_explaining.FakeStore")
    assert (one.how, one.is_isolated) == ("container.override", False)
    assert app.explain("store").overridden_by == ()


def test_an_isolated_override_is_told_only_where_it_is_seen():
    app = App()

    def isolated() -> Explanation:
        with app.override({"store": FakeStore()}, isolated=True):
            told: Explanation = app.explain("store")
            return told

    assert [one.is_isolated for one in copy_context().run(isolated).overridden_by] == [True]
    assert app.explain("store").overridden_by == ()


def test_an_override_of_the_framework_s_own_is_told_too():
    app = App()
    with app.store.override(app.inner.store):
        (one,) = app.explain("store").overridden_by
    assert (one.by, one.how) == ("inner.store", "provider.override")


def test_what_is_overridden_still_tells_what_it_would_need():
    app = App()
    with app.override(store=FakeStore()):
        assert [need.path for need in app.explain("store").needs] == ["clock", "config"]


def test_a_circle_ends_where_it_began():
    class Circle(DeclarativeContainer):
        ping: providers.Singleton[Any] = providers.Singleton(dict)
        pong: providers.Singleton[Any] = providers.Singleton(dict, ping=ping)
        ping.add_kwargs(pong=pong)

    (pong,) = Circle().explain("ping").needs
    assert pong.needs == (Need("ping", "singleton", ("ping",), is_told_above=True),)
    assert "see above" in str(Circle().explain("ping"))


def test_no_value_is_shown():
    class Secrets(DeclarativeContainer):
        config = providers.Configuration()
        password: providers.Object[Any] = providers.Object("hunter2")
        keys: providers.Object[Any] = providers.Object({"hunter2": "hunter2"})
        client: providers.Singleton[Any] = providers.Singleton(
            dict, "hunter2", password, token="hunter2", other=config.other
        )
        by_key = providers.Dict({password: password})

    container = Secrets()
    container.config.from_dict({"other": "hunter2"})
    with container.override({"client": {"token": "hunter2"}}):
        texts = [str(container.explain(name)) for name in container.providers]
        texts += [repr(container.explain(name)) for name in container.providers]
        texts += [container.graph(kind) for kind in ("json", "svg", "dot", "mermaid")]
    assert not [text for text in texts if "hunter2" in text]


def test_a_part_tells_its_kind_and_the_line_that_chose_it():
    choice = Container(profile="test").explain("llm.default").choice
    assert choice is not None
    assert choice.kind == "scripted"
    assert "profiles/test.yaml:" in choice.origin
    assert choice.reason == "the packaged profile 'test' names it"
    assert {"openai", "scripted"} <= set(choice.kinds)


@pytest.mark.parametrize(
    ("environ", "overrides", "reason"),
    [
        ({"SWITCHGEAR__CACHE__DEFAULT__KIND": "memory"}, None, "the environment sets it"),
        ({}, {"cache.default.kind": "memory"}, "an override sets it"),
    ],
)
def test_what_comes_from_outside_the_files_is_told_by_its_way(
    environ: dict[str, str], overrides: dict[str, str] | None, reason: str
):
    container = Container(profile="test", environ=environ, overrides=overrides)
    choice = container.explain("cache.default").choice
    assert choice is not None
    assert choice.reason == reason


def test_a_variable_in_a_file_is_named(tmp_path: Path):
    (tmp_path / "application.yaml").write_text(
        "llm:\n  default:\n    kind: ${MODEL_KIND:scripted}\n"
    )
    container = Container(profile=(), resources=tmp_path, environ={"MODEL_KIND": "openai"})
    choice = container.explain("llm.default").choice
    assert choice is not None
    assert choice.reason == "your base file names it; MODEL_KIND is set"
    assert choice.origin.endswith("application.yaml:3")


def test_another_profile_is_told_while_it_stands():
    container = Container(profile="embedded")
    with container.use_profile("test"):
        choice = container.explain("llm.default").choice
    assert isinstance(choice, Choice)
    assert choice.kind == "scripted"


def test_a_container_of_ones_own_can_tell_its_choices():
    class Telling(DynamicContainer):
        def choice_of(self, path: str) -> Choice | None:
            return Choice("eu", "regions.ini:3", "near") if path == "store" else None

    class Region(DeclarativeContainer):
        instance_type = Telling
        store: providers.Singleton[Any] = providers.Singleton(dict)
        other: providers.Singleton[Any] = providers.Singleton(dict)

    class Outer(DeclarativeContainer):
        region = providers.Container(Region)

    told = Outer().explain("region.store")
    assert told.choice == Choice("eu", "regions.ini:3", "near")
    assert "kind           eu, from regions.ini:3: near" in str(told)
    assert Outer().explain("region.other").choice is None


def test_the_policy_around_the_calls_is_told():
    class Telling(DynamicContainer):
        def choice_of(self, path: str) -> Choice | None:
            policy = "patient (retry), from regions.ini:4: near" if path == "store" else ""
            return Choice("eu", "regions.ini:3", "near", policy=policy)

    class Region(DeclarativeContainer):
        instance_type = Telling
        store: providers.Singleton[Any] = providers.Singleton(dict)
        other: providers.Singleton[Any] = providers.Singleton(dict)

    region = Region()
    assert "policy         patient (retry), from regions.ini:4: near" in str(
        region.explain("store")
    )
    assert "policy" not in str(region.explain("other"))


def test_a_part_tells_the_policy_that_its_block_names():
    overrides = {
        "resilience.policies.patient": {"retry": {"max_attempts": 3}, "timeout_seconds": 10},
        "llm.default.policy": "patient",
    }
    container = Container(profile="test", environ={}, overrides=overrides)
    told = container.explain("llm.default")
    policy = "patient (timeout_seconds, retry), from override: an override sets it"
    assert f"policy         {policy}" in str(told)
    assert "policy" not in str(container.explain("cache.default"))


def test_what_no_settings_name_has_no_choice():
    container = Container(profile="test")
    assert container.explain("db.session").choice is None
    assert container.explain("settings").choice is None


def test_the_text_reads_as_sentences():
    container = Container(profile="test")
    with container.override(llm=ScriptedProvider()):
        text = str(container.explain("llm.default"))
    for line in (
        "llm.default (managed)",
        "kind           scripted, from ",
        "other kinds    llamacpp, openai",
        "now            not built, not started",
        "ScriptedProvider (container.override)",
        "needs          llm.settings (dependency)",
    ):
        assert line in text


def test_a_container_tells_what_it_holds():
    told = Container(profile="test").explain("cache")
    assert told.holds == ("cache.instances", "cache.settings", "cache.default")


def test_a_provider_of_that_name_wins_and_the_function_is_there():
    class Named(DeclarativeContainer):
        explain: providers.Object[Any] = providers.Object("mine")
        graph: providers.Object[Any] = providers.Object("mine too")

    named: Any = Named()
    assert named.explain() == "mine"
    assert containers.explain(named, "graph").lifetime == "object"
    assert "explain" in containers.graph(named, "json")


def test_every_provider_of_the_root_container_can_be_explained():
    container = Container(profile="test")
    for path in graph.paths(container).values():
        assert str(container.explain(path)).startswith(path)


def test_a_class_explains_and_draws_its_declaration_too():
    assert App.explain("store").path == App.explain(App.store).path == "store"
    assert App.graph(focus="store") == App().graph(focus="store")


def test_a_long_chain_can_be_explained():
    container = DynamicContainer()
    last: Any = providers.Object(0)
    for number in range(2000):
        last = providers.Factory(tuple, last)
        setattr(container, f"link{number}", last)
    assert "link1998 as iterable (factory)" in str(container.explain("link1999"))
