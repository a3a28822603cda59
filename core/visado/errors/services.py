"""Errors of the storage and of searches."""

from __future__ import annotations

from typing_extensions import override

from visado.errors.base import BadRequest, NotFound, PartialFailure, PreconditionFailed, TooLarge, Unavailable


class UnknownIndex(PreconditionFailed, id="services.storage.unknown_index", code=0x01010001):
    """A strict restriction names an index that the settings do not declare."""

    message = 'The index "{index}" does not exist.'


class UnknownCollection(PreconditionFailed, id="services.storage.unknown_collection", code=0x01010002):
    """A strict restriction names a collection that the settings do not declare."""

    message = 'The collection "{index}":"{collections}" does not exist.'


class GetLimitExceeded(TooLarge, id="services.storage.get_limit_exceeded", code=0x01010003):
    """The requested page exceeds the limit of documents."""

    message = "The number of documents returned by this request exceeds the configured server limit."


class WriteLimitExceeded(TooLarge, id="services.storage.write_limit_exceeded", code=0x01010004):
    """The request would change more documents than the limit allows."""

    message = "The number of documents edited by this request exceeds the configured server limit."


class IncompleteDelete(PartialFailure, id="services.storage.incomplete_delete", code=0x01010009):
    """Some documents could not be deleted. `errors` contains their errors."""

    message = "Couldn't delete all the requested documents: see errors"


class DocumentNotFound(NotFound, id="services.storage.not_found", code=0x0101000B):
    """No document has this id."""

    message = 'Document "{id}" not found in "{index}":"{collection}".'


class UnknownScrollId(NotFound, id="services.storage.unknown_scroll_id", code=0x0101000E):
    """The cursor does not exist or has expired."""

    message = "Non-existing or expired scroll identifier."


class DocumentAlreadyExists(BadRequest, id="services.storage.document_already_exists", code=0x01010011):
    """A document with this id already exists."""

    message = "Document already exists."


class InvalidMapping(BadRequest, id="services.storage.invalid_mapping", code=0x01010015):
    """The mapping has an unknown property."""

    message = 'Invalid mapping property "mappings.{property}".{suggestion}'


class SearchRefused(BadRequest, id="services.storage.unexpected_bad_request", code=0x01010021):
    """The search, or the mapping, is invalid."""

    message = "{cause}"


class InvalidSearchKey(BadRequest, id="services.storage.invalid_search_query", code=0x01010028):
    """The search body has an unknown key."""

    message = 'The argument "{key}" is not allowed at this level of a search query.'


class ScrollTooLong(BadRequest, id="services.storage.scroll_duration_too_great", code=0x0101002C):
    """The cursor's requested lifetime exceeds the limit."""

    message = 'Scroll duration "{duration}" is too great.'


class InvalidQueryKeyword(BadRequest, id="services.storage.invalid_query_keyword", code=0x0101002F):
    """The query contains a script."""

    message = 'The "{keyword}" keyword is not allowed in this query.'


class StorageUnavailable(Unavailable, id="services.storage.unavailable", code=0x01018001):
    """The storage could not store a change, and stored no part of it. The log contains the cause."""

    message = "The storage cannot store changes at the moment."


class InvalidDocument(BadRequest, id="services.storage.invalid_document", code=0x01018002):
    """The document contains a value that JSON cannot represent, such as NaN or a lone surrogate."""

    message = "The document cannot be stored: {cause}"


class ApiKeyNotFound(DocumentNotFound):
    """The API key belongs to another user."""

    message = 'ApiKey "{id}" not found for user "{user}".'

    @property
    @override
    def props(self) -> list[object]:
        return [self.values["id"]]
