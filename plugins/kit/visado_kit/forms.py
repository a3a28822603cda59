"""The models that strategies declare as forms, and the bodies that fit them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError


def form_members(form: type[BaseModel] | None) -> tuple[str, ...]:
    """Return the names of a form's members, as clients send them."""
    return () if form is None else tuple(each.alias or name for name, each in form.model_fields.items())


def expect_fit(name: str, form: type[BaseModel], body: Any) -> None:
    """Expect that a body has the members that a form declares. `name` is the attribute that holds the form."""
    missing = sorted({*body} - {*form_members(form), *form.model_fields})
    assert not missing, f"{name}: declare every member; {', '.join(missing)} is missing"
    try:
        form.model_validate(body)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise AssertionError(f"{name}: what the suite sends must fit it: {problems}") from None
