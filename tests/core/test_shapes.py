from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import visado
from visado import hookspecs
from visado.errors import CATALOGUE
from visado.settings import sections
from visado.settings.loading import Section

CONTRACT = {row["id"]: row for row in json.loads(Path(__file__).with_name("errors.json").read_text())}
# What a client did wrong is a 4xx here, whatever the reference answers: see the deviations of the exchanges.
FOURS = {"security.user.no_profile", "security.token.verification_error", "security.cookie.unsupported"}
OURS = sorted(
    (error for error in CATALOGUE.values() if error.__module__.startswith("visado.")), key=lambda each: each.id
)


@pytest.mark.parametrize("error", OURS, ids=lambda each: each.id)
def test_an_error_has_a_sentence_and_is_the_contracts_where_the_contract_knows_it(error):
    text = inspect.getdoc(error)
    assert text, "a docstring"
    assert "__doc__" in vars(error), "of its own"
    assert text.split("\n\n")[0].rstrip().endswith((".", "?"))
    row = CONTRACT.get(error.id)
    if row is not None:
        assert error.code == row["code"]
        if error.id in FOURS:
            assert error.status == 400
        else:
            assert error.status == row["status"]
    else:
        assert error.code & 0xFF00 >= 0x8000, "a code of our own lies outside of the contract's"


def test_no_code_of_ours_is_another_errors_of_the_contract():
    by_code = {row["code"]: row["id"] for row in CONTRACT.values()}
    for error in CATALOGUE.values():
        assert by_code.get(error.code, error.id) == error.id


@pytest.mark.parametrize("section", sections.SECTIONS, ids=lambda each: each.name)
def test_a_setting_has_a_description(section):
    assert inspect.getdoc(section)
    described(section)


def described(section):
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            described(field.annotation)
        else:
            assert field.description, f"{section.name}.{name}"
            assert field.description.endswith((".", "?"))


def test_a_hook_has_a_docstring_and_types():
    hooks = [
        member
        for name, member in vars(hookspecs).items()
        if inspect.isfunction(member) and hasattr(member, "visado_spec")
    ]
    assert len(hooks) >= 7
    for hook in hooks:
        assert inspect.getdoc(hook), hook.__name__
        signature = inspect.signature(hook)
        assert all(each.annotation is not inspect.Parameter.empty for each in signature.parameters.values())
        assert signature.return_annotation is not inspect.Signature.empty


def test_the_public_names_exist_are_sorted_and_documented():
    assert list(visado.__all__) == sorted(visado.__all__)
    for name in visado.__all__:
        member = getattr(visado, name)
        if inspect.isclass(member) or inspect.isfunction(member):
            assert inspect.getdoc(member), name


def test_a_public_name_is_the_object_that_type_checkers_see():
    import ast
    from importlib import import_module

    tree = ast.parse(Path(visado.__file__).read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module.startswith("visado")]
    homes = {alias.name: node.module for node in imports for alias in node.names}
    assert sorted({*homes, "hookimpl"}) == visado.__all__
    for name, module in homes.items():
        if module != "visado":
            assert getattr(visado, name) is getattr(import_module(module), name)


def test_every_module_says_what_it_owns():
    root = Path(visado.__file__).parent
    import ast

    for file in sorted(root.rglob("*.py")):
        tree = ast.parse(file.read_text())
        assert ast.get_docstring(tree), file
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                assert node.end_lineno - node.lineno < 40, (
                    f"{file.name}:{node.lineno} {node.name} has more than 40 lines"
                )
        assert len(file.read_text().splitlines()) <= 350, file


def test_every_public_name_is_there_and_costs_nothing_before_it_is_asked_for():
    script = """if True:
        import sys, visado
        heavy = {"starlette", "ldap3", "httpx", "authlib", "argon2", "pydantic", "cryptography", "uvicorn"}
        print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
        print([name for name in visado.__all__ if getattr(visado, name, None) is None])
    """
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n[]\n"
