"""The process that `MotoServer` starts: serves what `moto.json` in its folder says."""

import json
from pathlib import Path

from moto import settings
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import run_simple

_ALLOWED = {"Effect": "Allow", "Action": "*", "Resource": "*"}
_EVERYTHING = {"Version": "2012-10-17", "Statement": [_ALLOWED]}


def main() -> None:
    """Serve, and let in the one key of `moto.json`, with a right signature only."""
    wanted = json.loads(Path("moto.json").read_text(encoding="utf-8"))
    _add_owner(wanted["access_key_id"], wanted["secret_access_key"])
    get_backend("dynamodb")  # loaded before the first request, which it would make wait
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    run_simple(
        "127.0.0.1",
        wanted["port"],
        DomainDispatcherApplication(create_backend_app),
        threaded=True,
        request_handler=MotoRequestHandler,
    )


def _add_owner(access_key_id: str, secret_access_key: str) -> None:
    backend = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    backend.create_user("us-east-1", "owner")
    backend.put_user_policy("owner", "everything", json.dumps(_EVERYTHING))
    key = backend.create_access_key("owner")
    key.access_key_id, key.secret_access_key = access_key_id, secret_access_key


if __name__ == "__main__":
    main()
