"""The errors of storage and search."""

from __future__ import annotations

from typing_extensions import override

from visado.errors.base import BadRequest, NotFound, PartialFailure, PreconditionFailed, TooLarge, Unavailable


class UnknownIndex(PreconditionFailed, id="services.storage.unknown_index", code=0x01010001):
    """A strict restriction names an index that no settings declare."""

    message = 'The index "{index}" does not exist.'


class UnknownCollection(PreconditionFailed, id="services.storage.unknown_collection", code=0x01010002):
    """A strict restriction names a collection that no settings declare."""

    message = 'The collection "{index}":"{collections}" does not exist.'


class GetLimitExceeded(TooLarge, id="services.storage.get_limit_exceeded", code=0x01010003):
    """A page may not be this large."""

    message = "The number of documents returned by this request exceeds the configured server limit."


class WriteLimitExceeded(TooLarge, id="services.storage.write_limit_exceeded", code=0x01010004):
    """One request may not change this many documents."""

    message = "The number of documents edited by this request exceeds the configured server limit."


class IncompleteDelete(PartialFailure, id="services.storage.incomplete_delete", code=0x01010009):
    """Some documents could not be deleted: `errors` says which and why."""

    message = "Couldn't delete all the requested documents: see errors"


class DocumentNotFound(NotFound, id="services.storage.not_found", code=0x0101000B):
    """No document has this id."""

    message = 'Document "{id}" not found in "{index}":"{collection}".'


class UnknownScrollId(NotFound, id="services.storage.unknown_scroll_id", code=0x0101000E):
    """This cursor does not exist, or not any more."""

    message = "Non-existing or expired scroll identifier."


class DocumentAlreadyExists(BadRequest, id="services.storage.document_already_exists", code=0x01010011):
    """The id is taken."""

    message = "Document already exists."


class InvalidMapping(BadRequest, id="services.storage.invalid_mapping", code=0x01010015):
    """A mapping holds something that mappings do not have."""

    message = 'Invalid mapping property "mappings.{property}".{suggestion}'


class SearchRefused(BadRequest, id="services.storage.unexpected_bad_request", code=0x01010021):
    """The search, or the mapping, asks for something that does not exist."""

    message = "{cause}"


class InvalidSearchKey(BadRequest, id="services.storage.invalid_search_query", code=0x01010028):
    """A search body has no such key."""

    message = 'The argument "{key}" is not allowed at this level of a search query.'


class ScrollTooLong(BadRequest, id="services.storage.scroll_duration_too_great", code=0x0101002C):
    """A cursor may not be kept this long."""

    message = 'Scroll duration "{duration}" is too great.'


class InvalidQueryKeyword(BadRequest, id="services.storage.invalid_query_keyword", code=0x0101002F):
    """Queries may not hold scripts."""

    message = 'The "{keyword}" keyword is not allowed in this query.'


class StorageUnavailable(Unavailable, id="services.storage.unavailable", code=0x01018001):
    """The storage could not keep a change; nothing of it was kept. The log has the cause."""

    message = "The storage cannot keep changes at the moment."


class InvalidDocument(BadRequest, id="services.storage.invalid_document", code=0x01018002):
    """A document holds what JSON cannot: NaN, a lone surrogate, a set, itself."""

    message = "The document cannot be stored: {cause}"


class ApiKeyNotFound(DocumentNotFound):
    """The key is another user's."""

    message = 'ApiKey "{id}" not found for user "{user}".'

    @property
    @override
    def props(self) -> list[object]:
        return [self.values["id"]]
