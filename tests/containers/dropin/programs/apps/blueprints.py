"""A Flask application made by a factory, with blueprints and a search service."""

from dependency_injector import containers, providers
from dependency_injector.wiring import Provide, inject
from flask import Blueprint, Flask, current_app, request


class Index:
    def __init__(self, token: str, timeout: float) -> None:
        self.token = token
        self.timeout = timeout

    def search(self, words: str, limit: int) -> list[str]:
        return [f"{words}-{number}-{self.token}" for number in range(limit)]


class Search:
    def __init__(self, index: Index) -> None:
        self.index = index

    def run(self, words: str, limit: int) -> list[str]:
        return self.index.search(words, limit)


class Site(containers.DeclarativeContainer):
    config = providers.Configuration()
    index = providers.Factory(Index, token=config.token, timeout=config.timeout.as_float())
    search = providers.Factory(Search, index=index)


pages = Blueprint("pages", __name__)


@pages.route("/")
@inject
def index(
    search: Search = Provide[Site.search],
    words: str = Provide[Site.config.default.query],
    limit: int = Provide[Site.config.default.limit.as_int()],
) -> dict[str, list[str]]:
    asked = request.args.get("q", words)
    return {"found": search.run(asked, limit), "app": [current_app.name]}


def make(config: dict[str, object]) -> tuple[Flask, Site]:
    site = Site()
    site.config.from_dict(config)
    site.wire(modules=[__name__])
    app = Flask("pages")
    app.register_blueprint(pages)
    return app, site


def program_a_search_page():
    app, site = make({"token": "t", "timeout": "1", "default": {"query": "q", "limit": "2"}})
    client = app.test_client()
    assert client.get("/").json == {"found": ["q-0-t", "q-1-t"], "app": ["pages"]}
    assert client.get("/?q=x").json["found"][0] == "x-0-t"
    with site.index.override(Index("fake", 0)):
        assert client.get("/").json["found"] == ["q-0-fake", "q-1-fake"]
    site.unwire()
    return site
