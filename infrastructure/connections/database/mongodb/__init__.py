"""MongoDB through PyMongo's asyncio API, or through Motor."""

from infrastructure.connections.database.mongodb.bulk import Delete, Insert, Replace, Update
from infrastructure.connections.database.mongodb.changes import Change
from infrastructure.connections.database.mongodb.indexes import Index
from infrastructure.connections.database.mongodb.manager import MongodbConnectionManager
from infrastructure.connections.database.mongodb.settings import MongodbSettings
from infrastructure.connections.database.mongodb.transactions import Transaction
from infrastructure.connections.database.mongodb.values import DocumentId

__all__ = [
    "Change",
    "Delete",
    "DocumentId",
    "Index",
    "Insert",
    "MongodbConnectionManager",
    "MongodbSettings",
    "Replace",
    "Transaction",
    "Update",
]
