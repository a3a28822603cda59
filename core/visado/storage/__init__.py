"""The interface between the host and a database.

Owns the interface (`protocol`), the predicates of a search and their meaning (`query`), the version that each write
raises (`versions`) and the dictionary of bounded size (`bounded`). Does not own a database: the default is
`visado.tinydb`, others are plugins.
"""

from visado.storage.protocol import (
    Change,
    Collection,
    Document,
    DocumentExists,
    DocumentMissing,
    Storage,
    StorageError,
)

__all__ = ["Change", "Collection", "Document", "DocumentExists", "DocumentMissing", "Storage", "StorageError"]
