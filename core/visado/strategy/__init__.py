"""Strategies: the interface of a way to log in, after Passport's model, and the outcomes that it returns.

Owns the outcomes and the interfaces. Does not own the registry of strategies (`security.strategies`), what follows from
an outcome (`security.logins`), nor tokens: a strategy says who the user is, and the host creates the token.
"""

from visado.strategy.credentials import Actor, KeepsCredentials, form_fields
from visado.strategy.outcomes import AccountRules, Challenge, Fail, Identity, Outcome, Pass, Redirect, Success
from visado.strategy.strategies import Strategy, StrategyKind

__all__ = [
    "AccountRules",
    "Actor",
    "Challenge",
    "Fail",
    "Identity",
    "KeepsCredentials",
    "Outcome",
    "Pass",
    "Redirect",
    "Strategy",
    "StrategyKind",
    "Success",
    "form_fields",
]
