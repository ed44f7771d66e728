"""Profiles: comma lists, groups, unknown names and cycles."""

import pytest

GROUPS = "profiles: {groups: {all: [a, b], more: [all, c], own: [a]}}"


@pytest.fixture
def profiles(host):
    for name in ("a", "b", "c", "own"):
        host.write(f"profiles/{name}.yaml", f"app: {{name: {name}}}\nfeatures: {{{name}: true}}")
    return host


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("a", "a"),
        ("a,b", "a b"),
        ("b , a", "b a"),
        (["b", "c"], "b c"),
        ("all", "a b"),
        ("more", "a b c"),
        ("c,all", "c a b"),
        ("a,b,a", "b a"),
        ("own", "own a"),
        ((), ""),
    ],
)
def test_last_profile_wins(profiles, profile, expected):
    settings = profiles.load(GROUPS, profile=profile)
    assert " ".join(settings.profiles) == expected
    assert settings.app.name == (expected.split() or ["switchgear"])[-1]
    assert set(settings.features.root) == set(expected.split())


def test_variable_chooses_the_profiles(profiles):
    settings = profiles.load(profile=None, environ={"SWITCHGEAR_PROFILES": "a,b"})
    assert settings.profiles == ("a", "b")


def test_argument_is_above_the_variable(profiles):
    assert profiles.load(profile="b", environ={"SWITCHGEAR_PROFILES": "a"}).profiles == ("b",)


def test_embedded_is_the_default(profiles):
    assert profiles.load(profile=None).profiles == ("embedded",)


def test_variable_that_is_empty_does_not_mean_the_default(profiles, problems_of):
    report = problems_of(profiles.load, profile=None, environ={"SWITCHGEAR_PROFILES": ""})
    assert "SWITCHGEAR_PROFILES: is set but empty" in report


def test_variable_that_is_empty_may_count_as_unset(profiles):
    environ = {"SWITCHGEAR_PROFILES": "", "SWITCHGEAR_EMPTY_IS_UNSET": "1"}
    assert profiles.load(profile=None, environ=environ).profiles == ("embedded",)


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("prdo", "unknown profile 'prdo'. Did you mean 'prod'? Known: a, all, b,"),
        ("a,zzzz", "unknown profile 'zzzz'. Known: "),
        ("../a", "something that is no profile's name"),
        ("a,,b", "something that is no profile's name"),
        ("", "something that is no profile's name"),
        ("a/b", "something that is no profile's name"),
        ("x\ny", "something that is no profile's name"),
    ],
)
def test_unknown_profile_is_a_problem(profiles, problems_of, profile, expected):
    assert expected in problems_of(profiles.load, GROUPS, profile=profile)


def test_unknown_profile_does_not_hide_what_is_wrong_elsewhere(profiles, problems_of):
    report = problems_of(profiles.load, "app: {nam: x}", profile="prdo")
    assert "unknown profile" in report
    assert "Did you mean 'name'?" in report


def test_group_that_contains_itself_is_told_with_its_path(profiles, problems_of):
    yaml = "profiles:\n  groups:\n    x: [y]\n    y: [a, x]"
    report = problems_of(profiles.load, yaml, profile="x")
    assert (
        "conf/application-test.yaml:4: the profile group 'x' contains itself: x -> y -> x" in report
    )


def test_unknown_member_of_a_group_is_told_with_its_line(profiles, problems_of):
    report = problems_of(profiles.load, "profiles:\n  groups:\n    x: [bb]", profile="x")
    assert "conf/application-test.yaml:3: unknown profile 'bb'." in report


@pytest.mark.parametrize(
    "yaml",
    [
        "profiles: x",
        "profiles: {groups: x}",
        "profiles: {groups: {x: y}}",
        "profiles: {group: {}}",
        "profiles: {groups: {x: [[a]]}}",
        "profiles: {groups: {'../x': [a]}}",
    ],
)
def test_groups_of_another_shape_are_a_problem(profiles, problems_of, yaml):
    assert "profiles" in problems_of(profiles.load, yaml)


def test_groups_stand_in_base_files_only(profiles, problems_of):
    profiles.write("profiles/a.yaml", GROUPS)
    assert "profiles (conf/profiles/a.yaml:1): unknown key" in problems_of(
        profiles.load, profile="a"
    )


def test_group_of_the_host_replaces_a_packaged_one(profiles):
    yaml = "profiles: {groups: {development: [a]}}"
    assert profiles.load(yaml, profile="development").profiles == ("a",)
