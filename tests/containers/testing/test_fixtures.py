"""The fixtures `container`, `container_factory`, `override` and `fake_llm`, and their markers."""

import pytest


def test_container_is_on_profile_test_and_not_started(run):
    run("""
    def test_it(container):
        assert container.settings().profiles == ("test",)
        assert not container.is_started
    """).assert_outcomes(passed=1)


def test_each_test_has_a_container_of_its_own(run):
    run("""
    seen = []

    @pytest.mark.parametrize("number", [1, 2])
    def test_it(container, number):
        container.cache.default()
        assert container not in seen
        seen.append(container)
    """).assert_outcomes(passed=2)


def test_markers_choose_profile_and_settings_and_the_nearest_wins(run):
    run("""
    pytestmark = pytest.mark.config("cache.default.ttl_seconds=5", "db.default.kind=sqlite")

    @pytest.mark.profile("embedded", "test")
    @pytest.mark.config("cache.default.ttl_seconds=7")
    def test_it(container):
        assert container.settings().profiles == ("embedded", "test")
        assert container.settings().cache.default.ttl_seconds == 7
    """).assert_outcomes(passed=1)


def test_a_setting_without_a_value_is_told(run):
    result = run("""
    @pytest.mark.config("cache.default.ttl_seconds")
    def test_it(container):
        pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(['*config("cache.default.ttl_seconds"): not of the form*'])


def test_container_factory_adds_to_what_the_markers_say(run):
    run("""
    @pytest.mark.config("cache.default.ttl_seconds=5", "logging.level=ERROR")
    def test_it(container_factory):
        first = container_factory(overrides={"cache.default.ttl_seconds": 6})
        second = container_factory(profile="embedded")
        assert first.settings().cache.default.ttl_seconds == 6
        assert first.settings().logging.level == second.settings().logging.level == "ERROR"
        assert second.settings().profiles == ("embedded",)
    """).assert_outcomes(passed=1)


def test_container_is_of_the_type_the_user_gives(run):
    run("""
    class Application(Container):
        greeting = providers.Object("hello")

    @pytest.fixture
    def container_type():
        return Application

    def test_it(container):
        assert container.greeting() == "hello"
    """).assert_outcomes(passed=1)


def test_override_is_checked_and_ends_with_the_test(run):
    run("""
    @pytest.fixture(scope="module")
    def container():
        return Container(profile="test")

    def test_first(container, override):
        fake = ScriptedProvider()
        override(llm=fake)
        override({"cache.instances.signup": container.cache.default()}, isolated=True)
        assert container.llm.default() is fake

    def test_second(container):
        assert container.llm.default().name == "llm.default"
    """).assert_outcomes(passed=2)


def test_override_of_an_unknown_name_lists_the_known(run):
    result = run("""
    def test_it(override):
        override(lllm=ScriptedProvider())
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no provider 'lllm'*llm.default*"])


def test_fake_llm_answers_for_the_containers_model(run):
    run("""
    @pytest.mark.asyncio
    async def test_it(container, fake_llm):
        fake_llm.script("Good morning.")
        assert (await container.llm.default().generate("Hello")).content == "Good morning."
        assert fake_llm.calls[0].messages[-1].content == "Hello"
    """).assert_outcomes(passed=1)


_CLOSING = """
    import asyncio
    from containers import DeclarativeContainer
    ended = []

    class Engine:
        async def start(self):
            self.loop = asyncio.get_running_loop()

        async def stop(self):
            ended.append(asyncio.get_running_loop() is self.loop)

    class Own(DeclarativeContainer):
        engine = providers.Managed(Engine)

    @pytest.fixture
    def container_type():
        return lambda **settings: Own()
"""


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_a_started_container_ends_on_the_tests_own_loop(run, mode):
    run(
        f"""{_CLOSING}
    @pytest.mark.asyncio
    async def test_it(container):
        await container.start()

    def test_it_ended():
        assert ended == [True]
    """,
        "-o",
        f"asyncio_mode={mode}",
    ).assert_outcomes(passed=2)


def test_a_loop_shared_by_a_module_ends_after_its_containers(run):
    run(f"""{_CLOSING}
    @pytest.mark.asyncio(loop_scope="module")
    async def test_it(container):
        await container.start()

    def test_it_ended():
        assert ended == [True]
    """).assert_outcomes(passed=2)


def test_without_pytest_asyncio_a_started_container_ends_on_a_new_loop(run):
    run(
        f"""{_CLOSING}
    def test_it(container):
        asyncio.run(container.start())
        assert container.is_started

    def test_it_ended():
        assert ended == [False]
    """,
        "-p",
        "no:asyncio",
    ).assert_outcomes(passed=2)


def test_what_opened_itself_is_closed_too(run):
    run("""
    opened = []

    @pytest.mark.asyncio
    async def test_it(container):
        database = container.db.default()
        await database.execute_query("SELECT 1")
        assert database.is_healthy()
        opened.append(database)

    def test_it_was_closed():
        assert not opened[0].is_healthy()
    """).assert_outcomes(passed=2)


def test_a_container_that_does_not_end_fails_its_test_and_the_others_end(run):
    result = run("""
    ended = []

    class Engine:
        def __init__(self, fails):
            self.fails = fails

        def start(self):
            pass

        def stop(self):
            ended.append(self.fails)
            if self.fails:
                raise RuntimeError("stuck")

    class Application(Container):
        engine = providers.Managed(Engine, fails=False)

    @pytest.fixture
    def container_type():
        return Application

    @pytest.mark.asyncio
    async def test_it(container_factory):
        first, second = container_factory(), container_factory()
        await first.start()
        with second.override({second.engine: Engine(True)}):
            await second.start()

    def test_both_ended():
        assert ended == [True, False]
    """)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*the test's containers did not end cleanly*", "*stuck*"])


def test_wiring_ends_with_the_test(run):
    run("""
    from containers import Provide, inject
    from containers.errors import WiringError

    @inject
    def profile(settings=Provide["settings"]):
        return settings.profiles

    def test_first(container):
        container.wire()
        assert profile() == ("test",)

    def test_second():
        with pytest.raises(WiringError):
            profile()
    """).assert_outcomes(passed=2)


def test_the_markers_are_declared(run):
    result = run("", "--markers", "--strict-markers")
    for name in ("profile", "config", "allow_network", "requires"):
        result.stdout.fnmatch_lines([f"@pytest.mark.{name}(*"])
