"""Redis or Valkey as a database connection: one server, a cluster, or a master with sentinels."""

from infrastructure.connections.database.gaps import Gap
from infrastructure.connections.database.redis.calls import RedisConnectionSettings
from infrastructure.connections.database.redis.consumers import StreamConsumer
from infrastructure.connections.database.redis.lease import LeaseLostError
from infrastructure.connections.database.redis.locks import HeldLock
from infrastructure.connections.database.redis.manager import RedisConnectionManager
from infrastructure.connections.database.redis.pubsub import Publication, Subscription
from infrastructure.connections.database.redis.scripts import RedisScript
from infrastructure.connections.database.redis.stream_message import StreamMessage
from infrastructure.connections.database.redis.streams import RedisStream

__all__ = [
    "Gap",
    "HeldLock",
    "LeaseLostError",
    "Publication",
    "RedisConnectionManager",
    "RedisConnectionSettings",
    "RedisScript",
    "RedisStream",
    "StreamConsumer",
    "StreamMessage",
    "Subscription",
]
