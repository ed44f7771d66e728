"""What a test leaves behind fails its end, is named, and is gone for the next test."""

import pytest


def test_an_override_left_behind_is_named_with_its_test_and_undone(run):
    result = run("""
    def test_first(container):
        container.override(llm=ScriptedProvider())

    def test_second(container):
        from containers.core import layers
        assert layers.active() == ()
    """)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(
        ["*::test_first left behind: 'llm.default' overridden by ScriptedProvider.*undone*"]
    )


def test_an_override_of_a_container_of_the_tests_own_is_told_by_what_it_gives(run):
    result = run("""
    class Mail:
        pass

    class Own(Container):
        mail = providers.Singleton(Mail)

    def test_first():
        Own(profile="test").override(mail=Mail())
    """)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*test_first left behind: 'Mail' overridden by Mail.*"])


@pytest.mark.parametrize(
    "leaving",
    [
        "container.llm.default.override(ScriptedProvider())",
        "Container.llm.default.override(ScriptedProvider())",
        "Container.llm.override(LLMContainer())",
        "override(Container, llm=ScriptedProvider())",
        "container.override({'llm.default': ScriptedProvider()}, isolated=True)",
    ],
)
def test_every_way_of_overriding_is_noticed_and_undone(run, leaving):
    result = run(f"""
    from containers import override
    from containers.llm import LLMContainer

    def test_first(container):
        {leaving}

    def test_second(container):
        assert container.llm.default().name == "llm.default"
    """)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*test_first left behind: 'llm*' overridden by *"])


def test_what_was_overridden_before_the_test_stays(run):
    run("""
    fake = ScriptedProvider()

    @pytest.fixture(scope="module", autouse=True)
    def everywhere():
        Container.llm.default.override(fake)
        yield
        Container.llm.default.reset_override()

    @pytest.mark.parametrize("number", [1, 2])
    def test_it(container, number):
        assert container.llm.default() is fake
    """).assert_outcomes(passed=2)


def test_an_override_that_ends_in_a_fixture_is_no_leak(run):
    run("""
    @pytest.fixture
    def faked(container):
        with container.override(llm=ScriptedProvider()):
            yield

    def test_it(faked, container, fake_llm):
        with container.use_profile("embedded"):
            pass
    """).assert_outcomes(passed=1)


def test_a_value_that_is_left_behind_is_not_shown(run):
    result = run("""
    class Own(Container):
        key = providers.Object("")

    @pytest.fixture
    def container_type():
        return Own

    def test_it(container):
        container.override(key="a-secret-key")
    """)
    result.stdout.fnmatch_lines(["*'key' overridden by str.*"])
    assert "left behind" in result.stdout.str()
    assert not [line for line in result.outlines if "left behind" in line and "secret" in line]


def test_a_default_container_left_behind_is_told_and_forgotten(run):
    result = run("""
    from containers import set_default
    from containers.default import given_default

    def test_first(container):
        set_default(container)

    def test_second():
        assert given_default() is None
    """)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*test_first left behind: *set_default()*"])


def test_a_default_container_made_from_the_environment_is_no_leak(run, monkeypatch):
    monkeypatch.setenv("SWITCHGEAR_PROFILES", "test")
    run("""
    from containers import default_container, set_default

    def test_first():
        default_container()

    def test_second():
        set_default(None)
    """).assert_outcomes(passed=2)


def test_a_declaration_first_imported_by_the_leaking_test_is_watched_too(pytester):
    pytester.makepyfile("""
    def test_first():
        from containers import Container
        Container.cache.default.override(1)

    def test_second():
        from containers import Container
        assert Container.cache.default.overridden == ()
    """)
    pytester.runpytest_subprocess().assert_outcomes(passed=2, errors=1)


def test_a_test_that_knows_no_container_imports_none(pytester):
    pytester.makepyfile("""
    import sys

    def test_it():
        heavy = {"dependency_injector", "pydantic", "containers.core", "containers.application"}
        assert heavy & sys.modules.keys() == set()
    """)
    pytester.runpytest_subprocess("-p", "no:asyncio").assert_outcomes(passed=1)
