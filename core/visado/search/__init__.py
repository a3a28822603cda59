"""Searches: the query languages of the protocol, translated to the predicates of `visado.storage.query`.

Owns the languages (`elasticsearch`, `koncorde`), the bodies that hold their queries (`body`), the rules of a search
(`rules`), the pages and cursors of the controllers (`searches`, `cursors`) and the mappings that clients declare
(`mappings`). Does not own the meaning of a predicate: that is `visado.storage.query`.

A plugin uses `parse_search` and `SearchRules`: a strategy whose credentials can be searched gives the rules, and hands
the `Query` that it gets to its storage.
"""

from visado.search.body import parse_search
from visado.search.rules import SearchRules

__all__ = ["SearchRules", "parse_search"]
