"""The search languages of the wire: an Elasticsearch subset and Koncorde, compiled to `visado.storage.query`.

Owns the languages, the bodies that hold them, cursors and mappings. Does not own what a predicate means: that is
`visado.storage.query`.
"""
