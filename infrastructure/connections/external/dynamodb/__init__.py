"""DynamoDB: items by key, alone, in queries, in batches and in transactions."""

from infrastructure.connections.external.dynamodb.batches import Written
from infrastructure.connections.external.dynamodb.errors import Reason, TransactionFailedError
from infrastructure.connections.external.dynamodb.manager import DynamoConnectionManager
from infrastructure.connections.external.dynamodb.settings import DynamoSettings
from infrastructure.connections.external.dynamodb.tables import Index, Key, KeyType, Table
from infrastructure.connections.external.dynamodb.writes import Check, Delete, Put, Update, Write

__all__ = [
    "Check",
    "Delete",
    "DynamoConnectionManager",
    "DynamoSettings",
    "Index",
    "Key",
    "KeyType",
    "Put",
    "Reason",
    "Table",
    "TransactionFailedError",
    "Update",
    "Write",
    "Written",
]
