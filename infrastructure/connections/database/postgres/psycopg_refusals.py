"""Why a server lets psycopg in not: by the sqlstate, which libpq keeps to itself.

libpq gives the reason of a failed connection in words alone. Its trace has the code, so what was
refused is tried once more under trace. Of each trace some kilobytes stay with libpq: there are so
many of them at most, and after that the words are all there is.
"""

import contextlib
import os
import re
from itertools import count

import psycopg
from psycopg import pq
from psycopg.abc import PQGenConn
from psycopg.waiting import Wait

_MOST_TRACES = 1_000
_TRACE_BYTES = 65_536
_WAITS = {pq.PollingStatus.READING: Wait.R, pq.PollingStatus.WRITING: Wait.W}
_STATE = re.compile(rb'^B\t\d+\tErrorResponse\t.* C "(\w{5})" M ', re.MULTILINE)

_traces = count()


def connecting(conninfo: str) -> PQGenConn[pq.abc.PGconn]:
    """The steps of connecting, as psycopg takes them.

    Raises:
        OperationalError: (psycopg) It failed. Where the server refused, it has the sqlstate.
    """
    heard: list[Wait] = []
    try:
        return (yield from _steps(conninfo, heard))
    except psycopg.OperationalError as error:
        state = ""
        if Wait.R in heard and next(_traces) < _MOST_TRACES:
            state = yield from _state_of_refusal(conninfo)
        if state:
            raise _refused(state, error) from error
        raise


def _steps(
    conninfo: str, heard: list[Wait], trace_to: int | None = None
) -> PQGenConn[pq.abc.PGconn]:
    """Connect; what was waited for and came is put into `heard`."""
    pgconn = pq.PGconn.connect_start(conninfo.encode())
    try:
        if trace_to is not None:
            pgconn.trace(trace_to)
            pgconn.set_trace_flags(pq.Trace.SUPPRESS_TIMESTAMPS)
        while (wait := _WAITS.get(pq.PollingStatus(pgconn.connect_poll()))) is not None:
            while not (yield pgconn.socket, wait):
                pass
            heard.append(wait)
        if trace_to is not None:
            pgconn.untrace()
    except BaseException:
        pgconn.finish()
        raise
    if pgconn.status == pq.ConnStatus.OK:
        pgconn.nonblocking = 1
        return pgconn
    said = pgconn.get_error_message()
    pgconn.finish()
    raise psycopg.OperationalError(f"connection failed: {said}")


def _state_of_refusal(conninfo: str) -> PQGenConn[str]:
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)  # what does not fit is lost, and nobody waits
        with contextlib.suppress(psycopg.Error):  # refused again; or no trace on this system
            pgconn = yield from _steps(conninfo, [], writer)
            pgconn.finish()
        os.set_blocking(reader, False)
        with contextlib.suppress(BlockingIOError):
            found = _STATE.search(os.read(reader, _TRACE_BYTES))
            return found[1].decode() if found else ""
        return ""
    finally:
        os.close(reader)
        os.close(writer)


def _refused(state: str, error: psycopg.OperationalError) -> psycopg.Error:
    try:
        kind = psycopg.errors.lookup(state)
    except KeyError:  # one of a newer server
        kind = type("RefusedError", (psycopg.OperationalError,), {"sqlstate": state})
    return kind(str(error))
