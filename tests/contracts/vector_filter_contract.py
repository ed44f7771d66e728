"""What every vector store promises of filters: the same answers, or an error that says why not."""

import itertools

from infrastructure.connections.vector.base import Record, VectorStore
from infrastructure.connections.vector.filters import (
    ORDER,
    AllOf,
    AnyOf,
    Condition,
    Filter,
    Operator,
    matches,
    operators,
    where,
)
from infrastructure.connections.vector.values import Scalar
from infrastructure.errors import UnsupportedError
from tests.contracts.vector_fixtures import NOTES, VectorFixtures

SCALARS: list[Scalar] = [0, 1, 1.0, -0.0, 2.5, 2**53, True, False, "", "1", "a", "A", "a%_\\"]
DATES: list[Scalar] = ["2026-11-21", "2026-11-21T00:00:00Z", "2026-11-21 02:00+01:00"]
VALUES = [None, [], *SCALARS, *DATES, ["a", 1], [True, 2.5], ["x", "2026-11-22"], ["cab", "a%b"]]
EVERYTHING: list[Filter] = [
    *(Condition("x", operator, value) for operator in ORDER for value in [0, 1, 2.5, *DATES]),
    *(where("x") == value for value in [None, *SCALARS, *DATES]),
    *(where("x") != value for value in [None, *SCALARS, *DATES]),
    *(where("x").is_in(pair) for pair in itertools.pairwise([*SCALARS, *DATES])),
    *(where("x").not_in(pair) for pair in itertools.pairwise([*SCALARS, *DATES])),
    *(where("x").has_text(text) for text in ("a", "A", "11-2", "%", "_", "\\", "a%")),
    where("x").has_all(["a", 1]),
    where("x").has_all([]),
    where("x").is_in([]),
    where("x").exists(),
    ~where("x").exists(),
    where("absent").exists(),
    AllOf(),
    AnyOf(),
    ~AllOf(),
    (where("x") == 1) | ((where("x") != 1) & ~where("x").exists()),
]


class VectorFilterContract(VectorFixtures):
    async def test_every_operator_meets_every_kind_of_value(self, store: VectorStore):
        await store.ensure_collection(NOTES, 1)
        records = [Record(str(i), [1.0], fields={"x": value}) for i, value in enumerate(VALUES)]
        records.append(Record("without", [1.0]))
        await store.upsert(NOTES, records)
        for asked in EVERYTHING:
            if not operators(asked) <= store.capabilities.operators:
                continue
            expected = {record.id for record in records if matches(asked, record.fields)}
            found = {match.id for match in await store.search(NOTES, [1.0], filter=asked, limit=99)}
            assert (asked, found) == (asked, expected)

    async def test_just_the_operators_the_store_lacks_are_refused_by_name(
        self, colors: VectorStore
    ):
        refused = set()
        for operator in Operator:
            inside = Condition("text", operator, _value_for(operator))
            try:
                await colors.count(NOTES, ~(where("warm").exists() & inside))
            except UnsupportedError as error:
                refused.add(str(error).rpartition("cannot filter by ")[2])
        assert refused == set(Operator) - colors.capabilities.operators

    async def test_a_filter_may_have_its_plain_form(self, colors: VectorStore):
        plain = {
            "operator": "AND",
            "conditions": [
                {"field": "tags", "operator": "all", "value": ["a", "b"]},
                {"field": "tags", "operator": "any", "value": ["b", "c"]},
                {"operator": "NOT", "conditions": [{"field": "day", "operator": "exists"}]},
            ],
        }
        assert await colors.count(NOTES, plain) == 1
        (match,) = await colors.search(NOTES, [1.0, 1.0, 1.0], filter=plain)
        assert [record.id async for record in colors.scroll(NOTES, plain)] == [match.id] == ["1"]
        assert await colors.update(NOTES, plain, {"year": 1}) == 1
        await colors.delete(NOTES, plain)
        assert await colors.get(NOTES, ["1"]) == []


def _value_for(operator: Operator) -> object:
    if operator in {Operator.IN, Operator.NOT_IN}:
        return ["red"]
    if operator is Operator.EXISTS:
        return True
    return 1 if operator in ORDER else "red"
