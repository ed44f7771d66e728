"""`${part.key}`: a value made of what stands under another key."""

from pathlib import Path

import pytest

from infrastructure.config import load_settings
from infrastructure.config.resources import packaged_folder

ONE = "cache.instances.one"


def test_a_key_is_replaced_by_what_the_highest_layer_put_there(host):
    host.write("profiles/p.yaml", "paths: {data: /over}")
    yaml = "paths: {data: /under}\n"
    assert host.load(yaml + "app: {name: '<${paths.data}>'}").app.name == "</under>"
    settings = host.load(yaml + "app: {name: '<${paths.data}>'}", profile="p")
    assert settings.app.name == "</over>"


@pytest.mark.parametrize(
    "source",
    [
        {"environ": {"SWITCHGEAR__PATHS__DATA": "/x"}},
        {"overrides": {"paths.data": "/x"}},
        {"overrides": {"paths": {"data": Path("/x")}}},
    ],
)
def test_a_key_that_was_set_from_outside_counts(host, source):
    assert host.load("app: {name: '${paths.data}/y'}", **source).app.name == "/x/y"


def test_what_a_key_holds_may_be_made_of_other_keys_and_variables(host):
    yaml = "app: {name: 'a-${paths.data}'}\npaths: {data: 'b-${paths.logs}', logs: 'c-${V}'}"
    assert host.load(yaml, environ={"V": "d"}).app.name == "a-b-c-d"


def test_text_that_came_from_outside_is_not_read_again_under_another_key(host):
    yaml = "app: {name: '${paths.data}'}\npaths: {data: '${V}'}"
    assert host.load(yaml, environ={"V": "${paths.logs}"}).app.name == "${paths.logs}"


def test_a_number_of_another_key_is_converted_by_the_type_of_the_field(host):
    settings = host.load(f"{CACHE}      count: 7\n      ratio: ${{{ONE}.count}}\n")
    assert settings.cache.instances["one"].ratio == 7.0
    settings = host.load(f"{CACHE}      ratio: ${{{ONE}.count}}\n", overrides={f"{ONE}.count": 8})
    assert settings.cache.instances["one"].ratio == 8.0


def test_a_key_that_is_null_counts_as_unset(host):
    yaml = "app: {name: '${paths.data}', debug: '${paths.data:true}'}\npaths: {data: null}"
    app = host.load(yaml).app
    assert (app.name, app.debug) == ("switchgear", True)


@pytest.mark.parametrize("written", ["${paths.data!}", "x${paths.data}"])
def test_a_key_that_must_be_there_is_named_when_it_is_null(host, problems_of, written):
    report = problems_of(host.load, f"app: {{name: '{written}'}}\npaths: {{data: null}}")
    assert "app.name (conf/application-test.yaml:1): needs ${paths.data}, which is not s" in report
    assert "Set paths.data" in report
    assert "in the environment" not in report


@pytest.mark.parametrize("written", ["${paths.dta}", "${paths.dta!}", "${paths.dta:x}"])
def test_a_key_that_nothing_sets_is_told_with_line_and_the_likeliest_word(
    host, problems_of, written
):
    report = problems_of(host.load, f"paths: {{data: x}}\napp:\n  name: {written}\n")
    told = "app.name (conf/application-test.yaml:3): needs ${paths.dta}, which nothing sets"
    assert f"{told}. Did you mean 'paths.data'?" in report
    assert report.startswith("1 problem ")


@pytest.mark.parametrize("written", ["${cache.default}", "${cache.instances}"])
def test_a_block_is_no_single_value(host, problems_of, written):
    report = problems_of(host.load, f"app:\n  name: {written}\n")
    assert "application-test.yaml:2): needs" in report
    assert "which is no single value" in report


@pytest.mark.parametrize(
    ("yaml", "way"),
    [
        ("app:\n  name: ${app.name}\n", "app.name -> app.name"),
        (
            "app:\n  name: ${paths.data}\npaths:\n  data: ${paths.logs}\n  logs: ${app.name}\n",
            "app.name -> paths.data -> paths.logs -> app.name",
        ),
        (
            "app:\n  name: ${paths.data}\npaths:\n  data: ${paths.logs}\n  logs: ${paths.data:x}\n",
            "paths.data -> paths.logs -> paths.data",
        ),
    ],
)
def test_a_circle_is_told_once_with_its_way_and_its_line(host, problems_of, yaml, way):
    report = problems_of(host.load, yaml)
    assert f"needs itself: {way}. Give one of them a value of its own." in report
    assert "(conf/application-test.yaml:" in report
    assert report.startswith("1 problem ")


def test_what_is_wrong_with_a_key_is_told_there_and_not_where_it_is_needed(host, problems_of):
    report = problems_of(host.load, "app: {name: '${paths.data}'}\npaths: {data: '${V!}'}")
    assert "paths.data (conf/application-test.yaml:2): needs ${V}, which is not set" in report
    assert report.startswith("1 problem ")


def test_keys_that_double_each_other_do_not_fill_the_memory(host, problems_of):
    lines = [
        f"        k{n}: ${{{ONE}.labels.k{n + 1}}}${{{ONE}.labels.k{n + 1}}}" for n in range(14)
    ]
    text = "\n".join(["      labels:", *lines, f"        k14: {'x' * 1000}"])
    report = problems_of(host.load, f"{CACHE}{text}\n")
    assert "is longer than 1000000 characters once filled" in report


def test_a_long_line_of_keys_is_refused(host, problems_of):
    lines = [f"        k{n}: ${{{ONE}.labels.k{n + 1}}}" for n in range(100)]
    text = "\n".join(["      labels:", *lines, "        k100: x"])
    assert "one after the other" in problems_of(host.load, f"{CACHE}{text}\n")


def test_a_key_with_dots_of_an_application_is_no_other_key(host):
    text = "      labels:\n        a.b: <${V}>\n        c: ${app.name}\n"
    labels = host.load(f"{CACHE}{text}", environ={"V": "v"}).cache.instances["one"].labels
    assert labels == {"a.b": "<v>", "c": "switchgear"}


def test_a_secret_of_another_key_is_shown_in_no_error(host, problems_of):
    text = f"      password: hunter2\n      count: ${{{ONE}.password}}\n"
    report = problems_of(host.load, f"{CACHE}{text}")
    assert "hunter2" not in report
    assert f"found the text of {ONE}.password" in report


def test_the_origin_names_the_key_and_what_it_was_made_of(host):
    yaml = "app: {name: '${paths.data}'}\npaths: {data: '${V:x}'}"
    found = host.load(yaml).origin("app.name").references
    assert [(each.name, each.source) for each in found] == [("paths.data", "key"), ("V", "default")]


def test_the_kind_of_a_block_may_stand_under_another_key(host):
    yaml = "app: {name: fake}\ncache: {instances: {one: {kind: '${app.name}', text: a}}}"
    assert host.load(yaml).cache.instances["one"].text == "a"


@pytest.mark.parametrize(
    "environ", [{"SWITCHGEAR_DATA_DIR": "/d"}, {"SWITCHGEAR__PATHS__DATA": "/d"}]
)
def test_shipped_files_of_data_follow_the_folder_of_data(environ):
    settings = load_settings("embedded", resources=packaged_folder(), environ=environ)
    found = settings.model_dump()
    assert str(found["db"]["default"]["path"]) == "/d/switchgear.db"
    assert str(found["vector"]["default"]["path"]) == "/d/qdrant"


CACHE = "cache:\n  instances:\n    one:\n      kind: fake\n"
