"""Typer and Click: each command runs with the container started, in a scope of its own."""

import asyncio
import sys
from typing import Annotated, Any

import click
import pytest
import typer
from click.testing import CliRunner as ClickRunner
from typer.testing import CliRunner

from containers import Provide, inject
from containers.errors import ContainerError
from containers.integrations.typer import setup
from tests.containers.integrations.shop import Server, Service, Session, Shop

ALL = ["start", "open", "commit", "stop"]


def run(app: typer.Typer, *arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_default_and_annotated_markers_are_filled_beside_parameters(shop):
    app = typer.Typer()

    @app.command()
    @inject
    def command(
        name: str,
        annotated: Annotated[Service, Provide[Shop.service]],
        size: int = 3,
        default: Service = Provide[Shop.service],
    ) -> None:
        typer.echo(f"{name} {size} {annotated is default}")

    setup(app, shop)
    assert run(app, "ada", "--size", "7").output == "ada 7 True\n"


def test_a_command_runs_with_the_container_started_in_a_scope(shop):
    app = typer.Typer()

    @app.command()
    @inject
    def command(session: Session = Provide[Shop.sync_session]) -> None:
        assert shop.is_started
        assert session is shop.sync_session()

    setup(app, shop)
    assert run(app).exit_code == 0
    assert shop.log() == ALL


def test_an_async_command_runs_on_the_loop_of_its_container(shop):
    app = typer.Typer()

    @app.command()
    @inject
    async def command(name: str, session: Session = Provide[Shop.session]) -> None:
        assert session is await shop.session()
        typer.echo(name)

    setup(app, shop)
    assert run(app, "ada").output == "ada\n"
    assert shop.log() == ALL


def test_a_plain_command_may_run_a_loop_of_its_own(shop):
    app = typer.Typer()

    @app.command()
    def command() -> None:
        asyncio.run(asyncio.sleep(0))

    setup(app, shop)
    assert run(app).exit_code == 0


def test_help_shows_the_users_parameters_only_and_starts_nothing(shop):
    app = typer.Typer()

    @app.command()
    @inject
    async def command(name: str, session: Session = Provide[Shop.session]) -> None: ...

    setup(app, shop)
    shown = run(app, "--help").output
    assert "name" in shown.lower()
    assert "session" not in shown.lower()
    assert shop.log() == []


@pytest.mark.parametrize("is_async", [True, False])
def test_an_exception_of_a_command_rolls_back_and_goes_on(shop, is_async):
    app = typer.Typer()

    @inject
    async def of_async(session: Session = Provide[Shop.session]) -> None:
        raise LookupError

    @inject
    def of_sync(session: Session = Provide[Shop.sync_session]) -> None:
        raise LookupError

    app.command()(of_async if is_async else of_sync)
    setup(app, shop)
    assert isinstance(run(app).exception, LookupError)
    assert shop.log() == ["start", "open", "rollback LookupError", "stop"]


@pytest.mark.parametrize(
    ("leaving", "code", "end"),
    [
        (typer.Exit(), 0, "commit"),
        (typer.Exit(3), 3, "rollback Exit"),
        (SystemExit(0), 0, "commit"),
        (SystemExit(), 0, "commit"),
        (SystemExit(2), 2, "rollback SystemExit"),
        (typer.Abort(), 1, "rollback Abort"),
    ],
)
@pytest.mark.parametrize("is_async", [True, False])
def test_an_exit_commits_if_it_says_that_all_went_well(shop, is_async, leaving, code, end):
    app = typer.Typer()

    @inject
    async def of_async(session: Session = Provide[Shop.session]) -> None:
        raise leaving

    @inject
    def of_sync(session: Session = Provide[Shop.sync_session]) -> None:
        raise leaving

    app.command()(of_async if is_async else of_sync)
    setup(app, shop)
    assert run(app).exit_code == code
    assert shop.log() == ["start", "open", end, "stop"]


def test_commands_and_groups_may_be_added_after_setup(shop):
    app, group = typer.Typer(), typer.Typer()
    setup(app, shop)
    app.add_typer(group, name="group")

    @app.command()
    @inject
    def first(session: Session = Provide[Shop.sync_session]) -> None: ...

    @group.command()
    @inject
    def second(session: Session = Provide[Shop.sync_session]) -> None: ...

    assert run(app, "first").exit_code == run(app, "group", "second").exit_code == 0
    assert shop.log() == ALL + ALL


def test_the_callback_of_a_group_runs_before_the_start(shop):
    app = typer.Typer()
    setup(app, shop)

    @app.callback()
    @inject
    def main(service: Service = Provide[Shop.service]) -> None:
        shop.log().append(service.name)

    @app.command()
    def command() -> None:
        shop.log().append("command")

    assert run(app, "command").exit_code == 0
    assert shop.log() == ["service", "start", "command", "stop"]


def test_an_exit_keeps_its_code_although_something_fails_to_stop(shop):
    app = typer.Typer()

    @app.command()
    def command() -> None:
        raise SystemExit(3)

    class Failing(Server):
        async def start(self) -> None: ...

        async def stop(self) -> None:
            raise OSError

    setup(app, shop)
    with shop.override(server=Failing([], "")):
        assert run(app).exit_code == 3


def test_a_failed_start_fails_the_command(shop):
    app = typer.Typer()

    @app.command()
    def command() -> None:
        shop.log().append("command")

    setup(app, shop)
    with shop.override(failure="no route to host"):
        assert "no route to host" in str(run(app).exception)
    assert shop.log() == []


def test_a_container_that_runs_is_left_to_whoever_started_it(sync_shop):
    app = typer.Typer()

    @app.command()
    def command() -> None: ...

    setup(app, sync_shop)
    with sync_shop:
        assert run(app).exit_code == 0
        assert sync_shop.is_started


def test_overrides_reach_commands(shop):
    class Fake(Service):
        name = "fake"

    app = typer.Typer()

    @app.command()
    @inject
    def command(service: Service = Provide[Shop.service]) -> None:
        typer.echo(service.name)

    setup(app, shop)
    with shop.override(service=Fake()):
        assert run(app).output == "fake\n"


@pytest.mark.parametrize("is_late", [True, False])
def test_commands_of_click_are_injected(shop, is_late):
    @click.group()
    def group() -> None: ...

    @click.command()
    @click.argument("name")
    @click.pass_context
    @inject
    async def command(
        context: click.Context, name: str, session: Session = Provide[Shop.session]
    ) -> None:
        assert session is await shop.session()
        click.echo(f"{context.info_name} {name}")

    if not is_late:
        group.add_command(command)
    setup(group, shop)
    if is_late:
        group.add_command(command)
    assert ClickRunner().invoke(group, ["command", "ada"]).output == "command ada\n"
    assert shop.log() == ALL


def test_a_single_command_of_click_is_injected(shop):
    @click.command()
    @inject
    def command(session: Session = Provide[Shop.sync_session]) -> None:
        sys.exit(0)

    setup(command, shop)
    assert ClickRunner().invoke(command).exit_code == 0
    assert shop.log() == ALL


def test_a_command_of_two_names_runs_in_one_scope(shop):
    @click.command()
    @inject
    def command(session: Session = Provide[Shop.sync_session]) -> None: ...

    group = click.Group(commands={"one": command, "two": command})
    setup(group, shop)
    assert ClickRunner().invoke(group, ["two"]).exit_code == 0
    assert shop.log() == ALL


def test_help_of_click_shows_the_users_parameters_only(shop):
    @click.command()
    @click.option("--name")
    @inject
    def command(name: str, session: Session = Provide[Shop.sync_session]) -> None: ...

    setup(command, shop)
    shown = ClickRunner().invoke(command, ["--help"]).output
    assert "--name" in shown
    assert "session" not in shown


@pytest.mark.parametrize("app", [typer.Typer(), click.Group("shop")])
def test_a_second_setup_is_an_error(shop, app):
    setup(app, shop)
    with pytest.raises(ContainerError, match="set up before"):
        setup(app, shop)
