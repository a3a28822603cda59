import os
import time

import pytest

from visado_htpasswd.entries import HtpasswdFile, parse


def test_reads_what_htpasswd_writes():
    entries = parse(b"# people\r\n\r\nada:$2y$05$7WzGBEEpBXJpt3l5sR9XhOKdGZ.lLIlLAQ.8T.3bkZy7hMaXCk9NO\r\n")
    assert list(entries.hashes) == ["ada"]
    assert entries.problems == ()
    assert entries.cost == 5
    assert "$2y$" not in repr(entries)


@pytest.mark.parametrize(
    "kept",
    [
        "$apr1$lZL6V/ci$eIMz/iKDkbtys/uU7LEK00",
        "{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=",
        "$5$salt$hash",
        "rqXexS6ZhobKA",
        "in the clear",
        "",
        "$2y$05$short",
        "$2y$31$7WzGBEEpBXJpt3l5sR9XhOKdGZ.lLIlLAQ.8T.3bkZy7hMaXCk9NO",
    ],
)
def test_refuses_other_hashes_and_says_where(kept):
    entries = parse(f"# people\nbob:{kept}\n".encode())
    assert not entries.hashes
    (problem,) = entries.problems
    assert problem.startswith("line 2 (bob): ")
    assert not kept or kept not in problem
    assert not entries.verify("bob", kept.encode())


def test_the_first_line_of_a_name_counts(users):
    users.add("ada", "first")
    users.add("ada", "second")
    entries = HtpasswdFile(users.path).read()
    assert entries.verify("ada", b"first")
    assert not entries.verify("ada", b"second")
    assert "line 2 (ada)" in entries.problems[0]


def test_the_file_is_read_again_when_it_changes(users):
    users.add("ada", "before")
    file = HtpasswdFile(users.path)
    assert file.read().verify("ada", b"before")
    users.set("ada", "after")
    assert file.read().verify("ada", b"after")
    assert not file.read().verify("ada", b"before")


def test_a_file_at_rest_is_read_once(users):
    users.add("ada", "password")
    past = time.time() - 60
    os.utime(users.path, (past, past))
    file = HtpasswdFile(users.path)
    assert file.read() is file.read()


@pytest.mark.parametrize("longer", ["x" * 73, "word\0", "word\0word"])
def test_passwords_that_bcrypt_would_cut_are_wrong(users, longer):
    users.add("ada", "x" * 72)
    users.add("bob", "word")
    entries = HtpasswdFile(users.path).read()
    assert entries.verify("ada", b"x" * 72)
    assert not entries.verify("ada", longer.encode())
    assert not entries.verify("bob", longer.encode())


def test_hashes_of_every_cost_take_as_long_as_an_unknown_name(users):
    for cost in (4, 8, 10):
        users.add(f"ada-{cost}", "password", cost)
    entries = HtpasswdFile(users.path).read()

    def fastest(name):
        def once():
            start = time.thread_time()  # of this thread alone, however busy the machine is
            assert not entries.verify(name, b"wrong")
            return time.thread_time() - start

        return min(once() for _ in range(5))

    unknown = fastest("nobody")
    for cost in (4, 8, 10):
        assert fastest(f"ada-{cost}") == pytest.approx(unknown, rel=0.35)
