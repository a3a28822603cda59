"""What a login page may show of a strategy."""

from __future__ import annotations

from functools import lru_cache

from pydantic import BaseModel

from visado.request import Fields
from visado.strategy import Strategy


def describe_login_form(strategy: Strategy) -> Fields:
    """Return `{strategy, title, icon, form}`; the form is a JSON schema, or None where the login has no members."""
    form = None if strategy.login_form is None else _schema(strategy.login_form)
    return {
        "strategy": strategy.name,
        "title": strategy.title or strategy.name,
        "icon": strategy.icon,
        "form": form,
    }


@lru_cache(256)
def _schema(form: type[BaseModel]) -> Fields:
    return form.model_json_schema()
