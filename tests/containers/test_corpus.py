"""Reading and cutting the demo's documents."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from containers.cli import corpus
from infrastructure.errors import ConfigurationError


def test_the_default_is_the_eighteen_statements():
    found = corpus.topics(everything=False)
    assert len({passage.source for passage in found.passages}) == 18
    assert 30_000 < found.characters < 45_000


def test_all_topics_are_more():
    assert len(corpus.topics(everything=True).passages) > 500


@given(st.text(max_size=3000), st.integers(20, 500))
def test_passages_hold_every_word_and_stay_below_the_size(text: str, size: int):
    passages = list(corpus.cut("source", text, size))
    assert all(0 < len(passage.text) <= size for passage in passages)
    assert "".join("".join(one.text.split()) for one in passages) == "".join(text.split())


def test_the_same_text_has_the_same_id_in_every_run():
    first, again = (corpus.topics(everything=False).passages[0] for _ in range(2))
    assert first == again


def test_a_folder_is_read_with_the_folders_in_it(tmp_path: Path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.md").write_text("One.")
    (tmp_path / "inner" / "b.txt").write_text("Two.")
    (tmp_path / "c.png").write_bytes(b"\0")
    found = corpus.folder(tmp_path)
    assert [passage.source for passage in found.passages] == ["a.md", "inner/b.txt"]


def test_an_empty_folder_says_what_it_looked_for(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"holds no \.md, \.rst, \.txt file.*--docs"):
        corpus.folder(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="missing: is not a folder"):
        corpus.folder(tmp_path / "missing")


def test_files_that_are_no_text_are_all_named(tmp_path: Path):
    (tmp_path / "good.md").write_text("Fine.")
    (tmp_path / "binary.txt").write_bytes(b"\x00\x01")
    (tmp_path / "latin.rst").write_bytes("café".encode("latin-1"))
    with pytest.raises(ConfigurationError) as caught:
        corpus.folder(tmp_path)
    assert "2 of 3 files" in str(caught.value)
    assert "binary.txt: is binary" in str(caught.value)
    assert "latin.rst: is not UTF-8 text (byte 3)" in str(caught.value)


def test_files_with_nothing_in_them_are_no_corpus(tmp_path: Path):
    (tmp_path / "empty.md").write_text(" \n\n ")
    with pytest.raises(ConfigurationError, match="only empty files"):
        corpus.folder(tmp_path)


def test_of_many_unreadable_files_the_first_are_named(tmp_path: Path):
    for number in range(12):
        (tmp_path / f"{number:02}.txt").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="12 of 12 files") as caught:
        corpus.folder(tmp_path)
    assert str(caught.value).endswith("\n  09.txt: is not UTF-8 text (byte 0)\n  and 2 more")
