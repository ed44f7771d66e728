"""Random records' fields and random filters that often have something to do with them."""

from hypothesis import strategies as st

from infrastructure.connections.vector.filters import AllOf, AnyOf, Condition, Not, Operator

# few names and values, so that what is asked often meets what is stored
names = st.sampled_from(["a", "a", "a", "b", "b", "c-1", "d e", "f.g", "h[0]", "id", "日"])
numbers = st.sampled_from([0, 1, 1, 1.0, 1.0, 2, 2.5, -0.0, 1e300, -(2**53), 2**53]) | st.floats(
    allow_nan=False, allow_infinity=False
)
dates = st.sampled_from(
    ["2026-11-21", "2026-11-21T10:00:00Z", "2026-11-21 12:00+02:00", "1969-12-31T23:59:59.5Z"]
)
texts = st.sampled_from(["", "a", "A", "1", "true"]) | dates | st.text(max_size=3)
scalars = texts | numbers | st.booleans()
fields = st.dictionaries(names, st.none() | scalars | st.lists(scalars, max_size=3), max_size=4)

conditions = st.one_of(
    st.builds(Condition, names, st.sampled_from([Operator.EQ, Operator.NE]), scalars | st.none()),
    st.builds(
        Condition,
        names,
        st.sampled_from([Operator.GT, Operator.GE, Operator.LT, Operator.LE]),
        numbers | dates,
    ),
    st.builds(
        Condition,
        names,
        st.sampled_from([Operator.IN, Operator.NOT_IN]),
        st.lists(scalars, max_size=3),
    ),
    st.builds(Condition, names, st.just(Operator.EXISTS), st.booleans()),
    st.builds(Condition, names, st.just(Operator.TEXT), texts.filter(bool)),
)
filters = st.recursive(
    conditions,
    lambda parts: st.one_of(
        st.builds(Not, parts),
        st.lists(parts, min_size=1, max_size=3).map(lambda found: AllOf(tuple(found))),
        st.lists(parts, min_size=1, max_size=3).map(lambda found: AnyOf(tuple(found))),
    ),
    max_leaves=5,
)
