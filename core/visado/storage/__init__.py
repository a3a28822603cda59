"""What the host asks of a database.

Owns the interface (`protocol`), the predicates of a search and what they mean (`query`), and the version that each
write raises (`versions`). Does not own a database: the default is `visado.tinydb`, others are plugins.
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
