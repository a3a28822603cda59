"""Starlette's ends: from bytes to a request of the pipeline, and from its response to bytes.

Owns routes, sockets, bodies, headers, origins, the cache of whole responses and the limits of uvicorn. Does not own
what an action does, nor who may run it.
"""
