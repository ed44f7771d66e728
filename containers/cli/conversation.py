"""The demo's conversation: a table, written through a scoped session."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

_metadata = sa.MetaData()

turns = sa.Table(
    "demo_turns",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("sources", sa.Text, nullable=False),
)


async def remember(session: Any, question: str, answer: str, sources: str) -> int:
    """Store one turn in the session's transaction; say how many there are now."""
    connection = await session.connection()
    await connection.run_sync(_metadata.create_all)
    now = datetime.now(UTC)
    row = {"asked_at": now, "question": question, "answer": answer, "sources": sources}
    await session.execute(sa.insert(turns).values(row))
    count = await session.scalar(sa.select(sa.func.count()).select_from(turns))
    return int(count)
