"""Factories: a new object each call."""

from decimal import Decimal
from typing import Any

from dependency_injector import containers, providers
from dependency_injector.errors import Error


class Oven:
    def __init__(self, degrees: int = 180) -> None:
        self.degrees = degrees


class Loaf:
    flour = "wheat"

    def __init__(self, name: str, oven: Oven | None = None, *, seeds: int = 0) -> None:
        self.name = name
        self.oven = oven
        self.seeds = seeds


class Baker:
    def __init__(self, make_loaf: Any) -> None:
        self.make_loaf = make_loaf

    def bake(self, *names: str) -> list[str]:
        return [self.make_loaf(name).name for name in names]


class Rye(Loaf):
    flour = "rye"


def raises(kind: type[BaseException], call: Any, *args: Any, **kwargs: Any) -> str:
    try:
        call(*args, **kwargs)
    except kind as error:
        return str(error) or kind.__name__
    raise AssertionError(f"{kind.__name__} was not raised")


class Bakery(containers.DeclarativeContainer):
    oven = providers.Factory(Oven, degrees=220)
    loaf = providers.Factory(Loaf, "plain", oven=oven)
    baker = providers.Factory(Baker, providers.Factory(Loaf).provider)


def program_each_call_makes_a_new_object():
    bakery = Bakery()
    one, two = bakery.loaf(), bakery.loaf()
    assert one is not two
    assert one.oven is not two.oven
    assert (one.name, one.oven.degrees) == ("plain", 220)
    return bakery


def program_a_caller_adds_positional_arguments_and_replaces_named_ones():
    loaf = providers.Factory(Loaf, seeds=3)
    own = Oven(90)
    assert loaf("spelt", own).oven is own
    assert loaf("spelt", oven=own, seeds=5).seeds == 5
    assert loaf("spelt").seeds == 3


def program_positional_injections_come_first():
    def collect(*args: Any) -> tuple[Any, ...]:
        return args

    assert providers.Factory(collect, 1, 2)(3, 4) == (1, 2, 3, 4)


def program_attributes_are_set_after_construction():
    loaf = providers.Factory(Loaf, "sweet").add_attributes(
        glaze="sugar", oven=providers.Factory(Oven)
    )
    made = loaf()
    assert made.glaze == "sugar"
    assert made.oven.degrees == 180
    loaf.clear_attributes()
    assert not hasattr(loaf(), "glaze")


def program_double_underscores_reach_arguments_of_inner_factories():
    baker = providers.Factory(
        Baker, make_loaf=providers.Factory(Loaf, oven=providers.Factory(Oven))
    )
    made = baker(make_loaf__name="deep", make_loaf__oven__degrees=99).make_loaf
    assert made.name == "deep"
    assert made.oven.degrees == 99


def program_a_provider_attribute_hands_on_the_factory():
    baker = Bakery().baker()
    assert baker.bake("one", "two") == ["one", "two"]


def program_delegated_factories_inject_themselves():
    loaf = providers.DelegatedFactory(Loaf)
    baker = providers.Factory(Baker, make_loaf=loaf)
    assert baker().make_loaf is loaf
    assert loaf("x").name == "x"


def program_delegates_inject_the_factory_they_hold():
    loaf = providers.Factory(Loaf)
    assert providers.Factory(Baker, providers.Delegate(loaf))().make_loaf is loaf
    assert providers.Factory(Baker, providers.FactoryDelegate(loaf))().make_loaf is loaf


def program_injections_can_be_changed_later():
    loaf = providers.Factory(Loaf).add_args("first").add_kwargs(seeds=1)
    assert (loaf().name, loaf().seeds) == ("first", 1)
    loaf.set_args("second").set_kwargs(seeds=2)
    assert (loaf().name, loaf().seeds) == ("second", 2)
    loaf.clear_args().clear_kwargs()
    assert loaf("third").seeds == 0
    assert (loaf.args, loaf.kwargs) == ((), {})
    loaf.set_provides(Rye)
    assert loaf("fourth").flour == "rye"
    assert loaf.provides is loaf.cls is Rye


def program_a_changed_factory_is_seen_by_what_was_asked_before():
    class Kitchen(containers.DeclarativeContainer):
        oven = providers.Factory(Oven)
        loaf = providers.Factory(Loaf, "x", oven=oven)

    kitchen = Kitchen()
    assert kitchen.loaf().oven.degrees == 180
    kitchen.oven.set_kwargs(degrees=70)
    assert kitchen.loaf().oven.degrees == 70
    kitchen.loaf.set_kwargs(oven=Oven(5))
    assert kitchen.loaf().oven.degrees == 5
    kitchen.oven.set_provides(Loaf)
    kitchen.oven.set_kwargs(name="an oven?")
    assert kitchen.oven().name == "an oven?"
    return kitchen


def program_a_specialised_factory_accepts_subclasses_only():
    class LoafFactory(providers.Factory):
        provided_type = Loaf

    assert LoafFactory(Rye)("x").flour == "rye"
    assert "provided only" in raises(Error, LoafFactory, Oven).replace("can provide", "provided")


def program_a_provider_of_ones_own_follows_the_protocol():
    class Counted(providers.Provider):
        __slots__ = ("_made", "factory")

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.factory = providers.Factory(*args, **kwargs)
            self._made = 0
            super().__init__()

        def __deepcopy__(self, memo: Any) -> Any:
            copied = memo.get(id(self))
            if copied is not None:
                return copied
            copied = type(self)(providers.deepcopy(self.factory.provides, memo))
            memo[id(self)] = copied
            copied.factory.set_kwargs(**providers.deepcopy(self.factory.kwargs, memo))
            self._copy_overridings(copied, memo)
            return copied

        @property
        def related(self) -> Any:
            yield from [self.factory]
            yield from super().related

        def _provide(self, args: Any, kwargs: Any) -> Any:
            self._made += 1
            return self.factory(*args, **kwargs)

    class Kitchen(containers.DeclarativeContainer):
        oven = Counted(Oven, degrees=3)
        loaf = providers.Factory(Loaf, "x", oven=oven)

    kitchen = Kitchen()
    assert kitchen.loaf().oven.degrees == 3
    assert kitchen.oven._made == 1
    kitchen.oven.override(providers.Factory(Oven, 7))
    assert kitchen.loaf().oven.degrees == 7
    assert kitchen.oven._made == 1
    return kitchen


def program_a_factory_of_ones_own_decides_each_call():
    class Loud(providers.Factory):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            made = super().__call__(*args, **kwargs)
            made.loud = True
            return made

    class Kitchen(containers.DeclarativeContainer):
        oven = Loud(Oven, 1)
        loaf = providers.Factory(Loaf, "x", oven)

    kitchen = Kitchen()
    assert kitchen.oven().loud
    assert kitchen.loaf().oven.loud
    return kitchen


def program_an_aggregate_of_factories_chooses_by_name():
    loaves = providers.FactoryAggregate(
        wheat=providers.Factory(Loaf, "w"), rye=providers.Factory(Rye, "r")
    )
    assert loaves("rye").flour == loaves.rye().flour == "rye"
    assert loaves("wheat", seeds=4).seeds == 4
    assert set(loaves.factories) == set(loaves.providers) == {"wheat", "rye"}
    raises(Error, loaves, "oat")
    raises(AttributeError, lambda: loaves.oat)


def program_an_aggregate_of_factories_takes_any_keys():
    loaves = providers.FactoryAggregate(
        {Loaf: providers.Factory(Loaf, "w"), 2: providers.Factory(Rye, "r")}
    )
    assert loaves(Loaf).name == "w"
    assert loaves(2).name == "r"


def program_an_aggregate_sits_in_a_container():
    class Kitchen(containers.DeclarativeContainer):
        oven = providers.Singleton(Oven)
        loaves = providers.FactoryAggregate(
            wheat=providers.Factory(Loaf, oven=oven), rye=providers.Factory(Rye, oven=oven)
        )
        baker = providers.Factory(Baker, loaves.provider)

    kitchen = Kitchen()
    assert kitchen.loaves("rye", "r").oven is kitchen.oven()
    assert kitchen.loaves.wheat("w").oven is kitchen.oven()
    assert kitchen.baker().make_loaf("wheat", "w").name == "w"
    return kitchen


def program_an_abstract_factory_waits_for_its_override():
    class Abstract(containers.DeclarativeContainer):
        loaf = providers.AbstractFactory(Loaf)

    kitchen = Abstract()
    raises(Error, kitchen.loaf)
    kitchen.loaf.override(providers.Factory(Rye, "r"))
    assert kitchen.loaf().flour == "rye"
    raises(Error, kitchen.loaf.override, providers.Object(Oven))
    return kitchen


def program_a_target_may_be_a_dotted_name():
    assert providers.Factory("decimal.Decimal", "1.5")() == Decimal("1.5")
    assert providers.Callable("math.sqrt", 9)() == 3
    raises(Exception, providers.Factory, "no.such.thing")


def program_a_target_may_be_another_provider():
    class Kitchen(containers.DeclarativeContainer):
        kind = providers.Object(Rye)
        loaf = providers.Factory(kind, "r")

    kitchen = Kitchen()
    assert kitchen.loaf().flour == "rye"
    return kitchen


def program_subscripts_are_for_the_reader():
    assert providers.Factory[Oven](Oven)().degrees == 180
    assert providers.Singleton[Oven](Oven)().degrees == 180
    assert providers.Callable[int](int, "3")() == 3
    assert providers.Object[int](3)() == 3


def program_the_constructors_own_error_comes_through():
    assert "missing" in raises(TypeError, providers.Factory(Loaf))
    assert "heat" in raises(TypeError, providers.Factory(Oven, heat=1))


def program_related_says_what_a_factory_is_made_of():
    oven = providers.Factory(Oven)
    loaf = providers.Factory(Loaf, "x", oven=oven)
    assert list(loaf.related) == [oven]
    assert providers.is_provider(loaf)
    assert not providers.is_delegated(loaf)
    assert "Factory" in repr(loaf)
