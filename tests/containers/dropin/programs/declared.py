"""Containers: declared, inherited, copied, dynamic, from a schema."""

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

from dependency_injector import containers, providers
from dependency_injector.errors import Error


class Tree:
    def __init__(self, height: int = 1, *, name: str = "oak") -> None:
        self.height = height
        self.name = name


class Forest:
    def __init__(self, tree: Tree, trees: Any = None) -> None:
        self.tree = tree
        self.trees = trees


class Nursery(containers.DeclarativeContainer):
    height = providers.Object(3)
    tree = providers.Factory(Tree, height)


class Park(Nursery):
    forest = providers.Singleton(Forest, tree=Nursery.tree)


def raised(kind: type[BaseException], call: Any, *args: Any, **kwargs: Any) -> bool:
    try:
        call(*args, **kwargs)
    except kind:
        return True
    return False


def program_a_declaration_lists_its_providers():
    assert Nursery.providers == {"height": Nursery.height, "tree": Nursery.tree}
    assert Park.cls_providers == {"forest": Park.forest}
    assert Park.inherited_providers == Nursery.providers
    assert set(Park.providers) == {"height", "tree", "forest"}
    nursery = Nursery()
    assert set(nursery.providers) == {"height", "tree"}
    assert nursery.tree is not Nursery.tree
    assert nursery.declarative_parent is Nursery
    return nursery


def program_a_container_is_used_without_a_declaration_in_between():
    assert Nursery.tree().height == 3
    assert Park.forest().tree.height == 3
    Park.forest.reset()


def program_a_subclass_has_what_its_base_has():
    park = Park()
    assert park.forest().tree.height == park.height() == 3
    park.height.override(4)
    assert park.tree().height == 4
    return park


def program_a_subclass_replaces_by_name_for_itself_alone():
    class Small(Nursery):
        height = providers.Object(1)

    assert Small().height() == 1
    assert Small().tree().height == 3
    assert Nursery().height() == 3
    return Small()


def program_a_copy_replaces_by_name_for_all():
    @containers.copy(Nursery)
    class Small(containers.DeclarativeContainer):
        height = providers.Object(1)

    assert Small().tree().height == 1
    assert Small.tree is not Nursery.tree
    assert Nursery().tree().height == 3
    return Small()


def program_a_copy_of_a_subclass_and_its_parts():
    class Whole(containers.DeclarativeContainer):
        nursery = providers.Container(Nursery)
        forest = providers.Factory(Forest, nursery.tree)

    @containers.copy(Whole)
    class Other(Whole):
        nursery = providers.Container(Nursery, height=providers.Object(8))

    assert Other().forest().tree.height == 8
    assert Whole().forest().tree.height == 3
    return Other(), Whole()


def program_providers_are_added_to_a_class_later():
    class Late(containers.DeclarativeContainer):
        first = providers.Object(1)

    Late.second = providers.Callable(lambda one: one + 1, Late.first)
    assert Late().second() == 2
    assert set(Late.providers) == {"first", "second"}
    del Late.second
    assert set(Late().providers) == {"first"}


def program_a_dynamic_container_is_filled_by_hand():
    park = containers.DynamicContainer()
    park.height = providers.Object(2)
    park.set_provider("tree", providers.Factory(Tree, park.height))
    park.set_providers(forest=providers.Factory(Forest, park.tree), none=providers.Object(None))
    assert park.forest().tree.height == 2
    del park.none
    assert set(park.providers) == {"height", "tree", "forest"}
    assert raised(AttributeError, lambda: park.none)
    with park.override_providers(height=providers.Object(7)):
        assert park.forest().tree.height == 7
    return park


def program_a_dynamic_container_made_of_settings():
    kinds = {"tree": {"target": Tree, "height": 5}, "forest": {"target": Forest, "tree": "tree"}}
    park = containers.DynamicContainer()
    for name, kind in kinds.items():
        park.set_provider(name, providers.Factory(kind["target"]))
    for name, kind in kinds.items():
        given = {key: value for key, value in kind.items() if key != "target"}
        made = {
            key: park.providers.get(value, value) if isinstance(value, str) else value
            for key, value in given.items()
        }
        park.providers[name].add_kwargs(**made)
    assert park.forest().tree.height == 5
    return park


def program_only_providers_of_one_kind_are_let_in():
    class TreeProvider(providers.Factory):
        provided_type = Tree

    class Trees(containers.DeclarativeContainer):
        provider_type = TreeProvider
        tree = TreeProvider(Tree)

    assert raised(Error, setattr, Trees, "forest", providers.Factory(Forest))
    trees = containers.DynamicContainer()
    trees.provider_type = TreeProvider
    assert raised(Error, setattr, trees, "forest", providers.Factory(Forest))
    trees.tree = TreeProvider(Tree)
    assert isinstance(trees.tree(), Tree)
    return Trees(), trees


def program_a_container_injects_itself():
    class Keeper:
        def __init__(self, park: Any) -> None:
            self.park = park

    class Kept(containers.DeclarativeContainer):
        __self__ = providers.Self()
        tree = providers.Factory(Tree)
        keeper = providers.Singleton(Keeper, __self__)

    kept = Kept()
    assert kept.keeper().park is kept
    assert kept.keeper().park.tree().name == "oak"
    assert kept.__self__() is kept

    class Named(containers.DeclarativeContainer):
        me = providers.Self()
        keeper = providers.Factory(Keeper, me)

    named = Named()
    assert named.keeper().park is named.me() is named
    return kept, named


def program_every_provider_is_traversed_once():
    class Whole(containers.DeclarativeContainer):
        nursery = providers.Container(Nursery)
        forest = providers.Singleton(Forest, nursery.tree, trees=providers.List(nursery.tree))

    whole = Whole()
    found = list(whole.traverse())
    assert len(found) == len(set(found)) == 5
    assert set(found) == {
        whole.nursery,
        whole.nursery.height,
        whole.nursery.tree,
        whole.forest,
        next(one for one in found if isinstance(one, providers.List)),
    }
    assert list(whole.traverse(types=[providers.Singleton])) == [whole.forest]
    assert set(whole.forest.traverse()) <= set(found)
    assert len(set(Whole.traverse())) == 5
    return whole


def program_parts_are_containers_and_providers():
    class Whole(containers.DeclarativeContainer):
        nursery = providers.Container(Nursery, height=providers.Object(6))
        forest = providers.Factory(Forest, nursery.tree)

    whole = Whole()
    assert whole.nursery().tree().height == whole.nursery.tree().height == 6
    assert set(whole.nursery.providers) == {"height", "tree"}
    assert whole.forest().tree.height == 6
    assert raised(AttributeError, lambda: whole.nursery.nothing)
    return whole


def program_a_deep_copy_has_providers_of_its_own():
    park = Park()
    forest = park.forest()
    copied = copy.deepcopy(park)
    assert copied.forest is not park.forest
    assert copied.forest() is not forest
    copied.height.override(50)
    assert copied.tree().height == 50
    assert park.tree().height == 3
    return park, copied


def program_a_deep_copy_of_providers_keeps_what_is_shared():
    tree = providers.Singleton(Tree)
    first, second = providers.Factory(Forest, tree), providers.Factory(Forest, tree)
    one, two = providers.deepcopy([first, second])
    assert one().tree is two().tree
    assert one().tree is not first().tree
    assert copy.deepcopy(first)().tree is not tree()


def program_a_deep_copy_keeps_overrides():
    tree = providers.Factory(Tree)
    tree.override(providers.Factory(Tree, 9))
    assert providers.deepcopy(tree)().height == 9
    nursery = Nursery()
    nursery.height.override(11)
    assert copy.deepcopy(nursery).tree().height == 11


def program_a_copy_made_of_a_class_shares_nothing():
    class Shared(containers.DeclarativeContainer):
        tree = providers.Singleton(Tree)
        forest = providers.Singleton(Forest, tree, trees=providers.Dict(one=tree))

    before = Shared.tree()
    one = Shared()
    assert one.tree() is not before
    assert one.forest().trees["one"] is one.tree()
    Shared.tree.reset()
    return one


def program_a_schema_in_a_file():
    schema = {
        "version": "1",
        "container": {
            "height": {"provider": "Object", "provides": "math.pi"},
            "price": {
                "provider": "Factory",
                "provides": "decimal.Decimal",
                "args": ["container.height"],
            },
            "both": {"provider": "List", "args": ["container.price", 2]},
        },
    }
    schema["container"].pop("height")
    schema["container"]["price"]["args"] = [4]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "schema.json")
        file.write_text(json.dumps(schema), encoding="utf-8")
        by_json = containers.DynamicContainer()
        by_json.from_json_schema(str(file))
        by_yaml = containers.DynamicContainer()
        by_yaml.from_yaml_schema(str(file))
    by_hand = containers.DynamicContainer()
    by_hand.from_schema(schema)
    for one in (by_json, by_yaml, by_hand):
        assert one.both() == [4, 2]
    return by_json, by_yaml, by_hand


def program_a_container_without_providers():
    class Empty(containers.DeclarativeContainer):
        pass

    assert Empty().providers == Empty.providers == {}
    assert list(Empty().traverse()) == []
    return Empty()


def program_names_of_methods_are_free_for_providers():
    class Busy(containers.DeclarativeContainer):
        config = providers.Object("config")
        scope = providers.Object("scope")
        start = providers.Object("start")
        stop = providers.Object("stop")
        get = providers.Object("get")
        check = providers.Object("check")
        health = providers.Object("health")
        graph = providers.Object("graph")
        is_started = providers.Object("is_started")
        use_profile = providers.Object("use_profile")
        explain = providers.Object("explain")
        all = providers.List(scope, start, stop, get, check, health, graph, is_started)

    busy = Busy()
    assert busy.all() == [
        "scope",
        "start",
        "stop",
        "get",
        "check",
        "health",
        "graph",
        "is_started",
    ]
    assert (busy.use_profile(), busy.explain()) == ("use_profile", "explain")
    assert Busy.start() == "start"
    return busy


def program_containers_of_containers_are_known():
    class Whole(containers.DeclarativeContainer):
        Inner = Nursery

    assert Whole.containers == {"Inner": Nursery}
    assert Whole.Inner.tree().height == 3
