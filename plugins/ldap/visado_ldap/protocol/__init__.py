"""LDAP below the level of visado: bytes, sockets, names, entries and results.

Owns what the protocol says (RFC 4511, RFC 4514). Does not own filters and responses that ldap3 parses (`directory`).
"""
