"""What a provider gives, and what is inside of it."""

from typing import Any

from dependency_injector import containers, providers


class Station:
    def __init__(self) -> None:
        self.name = "central"
        self.tracks = [{"number": 1, "free": True}, {"number": 2, "free": False}]
        self.lines: dict[str, Station] = {}

    def track(self, number: int, *, shift: int = 0) -> dict[str, Any]:
        return self.tracks[number - 1 + shift]

    @property
    def first(self) -> dict[str, Any]:
        return self.tracks[0]


class Train:
    def __init__(self, start: str, track: Any = None, number: int = 0) -> None:
        self.start = start
        self.track = track
        self.number = number


class Railway(containers.DeclarativeContainer):
    station = providers.Singleton(Station)
    number = providers.Object(2)
    train = providers.Factory(
        Train,
        start=station.provided.name,
        track=station.provided.track.call(number),
        number=station.provided.tracks[1]["number"],
    )


def program_attributes_items_and_calls():
    railway = Railway()
    train = railway.train()
    assert train.start == "central"
    assert train.track is railway.station().tracks[1]
    assert train.number == 2
    return railway


def program_a_chain_asks_anew_each_time():
    railway = Railway()
    railway.train()
    railway.station().name = "north"
    assert railway.train().start == "north"
    railway.number.override(1)
    assert railway.train().track["number"] == 1
    return railway


def program_calls_take_arguments_of_the_caller_too():
    station = providers.Singleton(Station)
    track = station.provided.track.call(1)
    assert track()["number"] == 1
    assert track(shift=1)["number"] == 2
    assert station.provided.first["free"]() is True


def program_calls_may_follow_calls():
    station = providers.Singleton(Station)
    assert station.provided.track.call(2).get.call("number")() == 2
    assert station.provided.name.upper.call().center.call(11, "-")() == "--CENTRAL--"


def program_arguments_of_calls_may_be_providers():
    station = providers.Factory(Station)
    assert station.provided.track.call(number=providers.Object(2))()["number"] == 2


def program_every_kind_of_provider_has_it():
    assert providers.Object(Station()).provided.name() == "central"
    assert providers.Callable(dict, a=1).provided["a"]() == 1
    assert providers.List(1, 2).provided[1]() == 2
    assert providers.Dict(a=3).provided["a"]() == 3
    assert providers.ThreadLocalSingleton(Station).provided.name() == "central"
    given = providers.Dependency(default=Station())
    assert given.provided.name() == "central"
    chosen = providers.Selector(lambda: "a", a=providers.Factory(Station))
    assert chosen.provided.name() == "central"


def program_it_can_be_made_by_hand():
    station = providers.Singleton(Station)
    name = providers.AttributeGetter(providers.ProvidedInstance(station), "name")
    assert name() == "central"
    item = providers.ItemGetter(providers.ProvidedInstance(station).tracks, 0)
    assert item()["number"] == 1
    called = providers.MethodCaller(providers.ProvidedInstance(station).track, 1)
    assert called()["number"] == 1
    assert station.provided.name.name == "name"


def program_an_override_of_the_provider_is_followed():
    railway = Railway()

    class Other(Station):
        def __init__(self) -> None:
            super().__init__()
            self.name = "other"

    with railway.station.override(providers.Factory(Other)):
        assert railway.train().start == "other"
    assert railway.train().start == "central"
    return railway


def program_it_survives_a_copy_of_the_container():
    one, two = Railway(), Railway()
    one.station().name = "one"
    two.station().name = "two"
    assert (one.train().start, two.train().start) == ("one", "two")
    return one, two


def program_a_method_as_an_injection():
    class Office(containers.DeclarativeContainer):
        station = providers.Singleton(Station)
        asked = providers.Callable(lambda ask, number: ask(number), station.provided.track, 2)

    office = Office()
    assert office.asked()["number"] == 2
    return office


def program_a_part_can_be_provided_from():
    class Whole(containers.DeclarativeContainer):
        railway = providers.Container(Railway)
        title = providers.Callable(str.title, railway.station.provided.name)

    whole = Whole()
    assert whole.title() == "Central"
    assert whole.railway().station() is whole.railway.station()
    return whole
