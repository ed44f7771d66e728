"""The collections of a vector store: made, removed, and their shapes remembered for a moment."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from infrastructure.config.models.vector import VectorSettings
from infrastructure.connections.vector.asking import Asking, Capabilities
from infrastructure.connections.vector.backend import VectorBackend
from infrastructure.connections.vector.records import Metric, Place, Shape
from infrastructure.errors import ConflictError, NotFoundError, RejectedError
from infrastructure.resilience import idempotent
from infrastructure.resilience.clock import SYSTEM_CLOCK, Clock

T = TypeVar("T")

#: How long a shape is believed, for others may drop a collection and make it anew.
SHAPE_SECONDS = 10.0


class VectorCollections(VectorBackend):
    """The calls of a `VectorStore` that are about whole collections."""

    settings: VectorSettings
    capabilities: ClassVar[Capabilities] = Capabilities()
    clock: Clock = SYSTEM_CLOCK

    def __init__(self, settings: VectorSettings, *, name: str = "") -> None:
        super().__init__(settings, name=name)
        self._shapes: dict[str, tuple[Shape, float]] = {}
        self._asking = Asking(self.name, str(settings.kind), self.capabilities)

    async def ensure_collection(
        self,
        collection: str,
        dimensions: int,
        metric: Metric = Metric.COSINE,
        *,
        sparse: bool = False,
        tenants: bool = False,
    ) -> bool:
        """Create the collection unless it is there; say whether it was created.

        A creation that was cut half-way is completed by the next call.

        Args:
            collection: Up to 128 ASCII letters, digits, `_`, `-` and `.`, not a leading dot.
            dimensions: Length of every vector in it.
            metric: How likeness is measured in it.
            sparse: Whether its records may have sparse vectors too.
            tenants: Whether it is divided by tenants.

        Raises:
            ConflictError: It is there and of another shape.
        """
        self._asking.collection(collection)
        asked = self._asking.shape(Shape(dimensions, metric, sparse, tenants))
        try:
            is_new, found = False, await self.shape(collection)
        except NotFoundError:
            is_new = await self._call(self._create, collection, asked)
            found = asked if is_new else await self.shape(collection)
        if found != asked:
            raise ConflictError(
                f"collection '{collection}' has {found}, asked for {asked}",
                where=self.name,
                hint="Use another name, or drop the collection and embed its texts again.",
            )
        await self._call(self._complete, collection, asked)
        self._agree(collection, asked)
        return is_new

    async def drop_collection(self, collection: str) -> bool:
        """Remove the collection with all in it; say whether it was there."""
        self._asking.collection(collection)
        try:
            return await self._call(self._drop, collection)
        finally:  # a call meanwhile may have looked it up
            self._shapes.pop(collection, None)

    @idempotent
    async def list_collections(self) -> list[str]:
        """The names, sorted."""
        return sorted(await self._call(self._names))

    @idempotent
    async def shape(self, collection: str) -> Shape:
        """What was agreed when the collection was made."""
        self._asking.collection(collection)
        found = await self._call(self._shape_of, collection)
        self._agree(collection, found)
        return found

    async def _closed(self) -> None:
        self._shapes.clear()
        await super()._closed()

    async def _call(self, work: Callable[..., Awaitable[T]], *args: Any, **named: Any) -> T:
        async with self.calling():
            return await work(*args, **named)

    async def _place(self, collection: str, tenant: str, *, is_looked_up: bool = False) -> Place:
        """Where a call works; `is_looked_up` where a shape of before would be dangerous."""
        shape = None if is_looked_up else self._agreed(collection)
        place = Place(collection, shape or await self.shape(collection), tenant)
        with self._doubting(collection):
            return self._asking.place(place)

    @contextmanager
    def _doubting(self, collection: str) -> Iterator[None]:
        """A refusal has the shape looked up again by the next call, for it may be another's."""
        try:
            yield
        except RejectedError:
            self._shapes.pop(collection, None)
            raise

    def _agree(self, collection: str, shape: Shape) -> None:
        self._shapes[collection] = shape, self.clock.now()

    def _agreed(self, collection: str) -> Shape | None:
        shape, since = self._shapes.get(collection, (None, 0.0))
        return shape if self.clock.now() - since < SHAPE_SECONDS else None
