"""Tables: indexes, and TinyDB's own methods."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinydb import where
from tinydb.table import Document as TinyDocument

from visado.storage.query import Equals, terms_of
from visado.tinydb import tables
from visado.tinydb.journal import Journal
from visado.tinydb.tables import Database

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("ab"), JSON), st.sampled_from(["a", "b", "a.b", "a.a", "b.a.b"]))
def test_an_index_files_by_the_terms_of_the_evaluation(document: dict[str, object], field: str) -> None:
    assert tables._terms(document, field.split(".")) == terms_of(document, field)


def test_its_own_methods_keep_what_they_change(tmp_path: Path) -> None:
    with Database(tmp_path / "data", storage=Journal) as database:
        table = database.table("plain", indexes=("n",))
        assert table.insert(TinyDocument({"n": 1}, doc_id="a")) == "a"
        table.insert_multiple([TinyDocument({"n": 2}, doc_id="b"), TinyDocument({"n": 3}, doc_id="c")])
        with pytest.raises(ValueError, match="exists"):
            table.insert(TinyDocument({"n": 1}, doc_id="a"))
        assert table.update({"n": 4}, doc_ids=["b"]) == ["b"]
        assert table.remove(where("n") == 3) == ["c"]
        assert [list(table.candidates(Equals("n", n))[0]) for n in (1, 2, 3, 4)] == [["a"], [], [], ["b"]]
        assert len(table) == 2
    with Database(tmp_path / "data", storage=Journal) as database:
        table = database.table("plain")
        assert [(document.doc_id, dict(document)) for document in table] == [("a", {"n": 1}), ("b", {"n": 4})]
        table.truncate()
        database.table("other").insert(TinyDocument({}, doc_id="x"))
        database.drop_table("other")
    with Database(tmp_path / "data", storage=Journal) as database:
        assert database.tables() == set()
