"""Bad input: every file that cannot be used is named with its place, and its text stays in it."""

import os
from pathlib import Path

import pytest

from infrastructure.config.files import UnreadableError, read_text

BROKEN = [
    ("app: [1, 2", "is broken YAML: did not find expected ',' or ']'"),
    ("app:\n\tname: x", "Indent with spaces, not with tabs."),
    ("app: {name: ${NAME:x}}", "Put the value in quotes"),
    ("app: %s3cret", "application-test.yaml:1:6"),
    ("app: *s3cret", "an alias without an anchor"),
    ("app: &a [*a]", "an alias inside its own anchor"),
    ("*a : 1", "alias for a key|without an anchor"),
    ("app: !!python/object:os.system s3cret", "has a tag"),
    ("app: !s3cret x", "has a tag"),
    ("app: 1\napp: 2", "application-test.yaml:2:1"),
    ("app: {name: a, name: b}", "a key twice in one mapping; the first is on line 1"),
    ("app: 1\n---\napp: 2", "a second document"),
    ("- app", "should be a mapping at the top"),
    ("s3cret", "should be a mapping at the top"),
    ("? [a]\n: b", "a key that is not text"),
    ("app: {<<: {name: s3cret}}", "merge key"),
    ("app: \x01s3cret", "application-test.yaml:1:6"),
    ("app: '\ud800'".encode("utf-8", "surrogatepass"), "is not UTF-8 (byte 7)"),
    (b"app: \xff\xfe", "is not UTF-8 (byte 6)"),
    ("app: " + "[" * 100_000, "nested deeper than 64 levels"),
    ("app: " + "{a: " * 100_000, "nested deeper than 64 levels"),
    ("\n".join(" " * n + "a:" for n in range(200)), "nested deeper than 64 levels"),
    (
        "a: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 30)),
        "grows too large",
    ),
    (
        "a: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 80)),
        "grows too large",
    ),
    ("#" * 1_000_001, "is larger than 1000000 bytes"),
]


@pytest.mark.parametrize(("yaml", "expected"), BROKEN, ids=range(len(BROKEN)))
def test_file_that_cannot_be_read_is_named_without_its_text(host, problems_of, yaml, expected):
    report = problems_of(host.load, yaml)
    assert any(part in report for part in expected.split("|"))
    assert "conf/application-test.yaml" in report
    assert "s3cret" not in report


@pytest.mark.parametrize(
    "yaml", ["# only a comment", "---", "---\n# x\n...", "~", "{}", b"\xef\xbb\xbf"]
)
def test_empty_file_is_fine(host, yaml):
    assert host.load(yaml).app.name == "switchgear"


def test_byte_order_mark_and_windows_lines_are_read(host):
    assert host.load(b"\xef\xbb\xbfapp:\r\n  name: x\r\n").app.name == "x"


def test_alias_repeats_its_anchor(host):
    yaml = "features: {a: &on true, b: *on}\npaths: {data: &p d, logs: *p}"
    assert host.load(yaml).features.is_enabled("b")


def test_folder_in_place_of_a_file_is_named(host, problems_of):
    (host.folder / "application-x.yaml").mkdir()
    assert "conf/application-x.yaml: cannot be read (Is a directory)" in problems_of(host.load)


def test_pipe_in_place_of_a_file_does_not_wait(host, problems_of):
    os.mkfifo(host.folder / "application-x.yaml")
    assert "conf/application-x.yaml: is not a regular file" in problems_of(host.load)


def test_link_to_nowhere_is_named(host, problems_of):
    (host.folder / "application-x.yaml").symlink_to("nowhere")
    assert "conf/application-x.yaml: cannot be read (No such file" in problems_of(host.load)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission_is_named(host, problems_of):
    host.write("application-x.yaml", "app: {}").chmod(0)
    assert "conf/application-x.yaml: cannot be read (Permission" in problems_of(host.load)


def test_other_suffix_is_told_to_be_renamed(host, problems_of):
    host.write("application-x.yml", "app: {}")
    assert "conf/application-x.yml: would not be read. Rename it to .yaml." in problems_of(
        host.load
    )


def test_folder_given_and_missing_is_an_error(host, problems_of):
    host.folder = host.root / "nowhere"
    assert "nowhere: cannot be read as a folder (No such file" in problems_of(
        host.load, profile="test"
    )


def test_broken_file_does_not_hide_what_is_wrong_elsewhere(host, problems_of):
    host.write("application-db.yaml", "db: [")
    report = problems_of(host.load, "app: {nam: x}\nlogging: {level: loud}")
    assert report.count("\n  ") == 3
    assert "Did you mean 'name'?" in report


def test_what_is_no_file_leaves_no_descriptor_open(tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with pytest.raises(UnreadableError, match="Is a directory"):
            read_text(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_edited_file_is_read_anew(host):
    assert host.load("app: {name: one}").app.name == "one"
    assert host.load("app: {name: two}").app.name == "two"
