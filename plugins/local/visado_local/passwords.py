"""Hashing passwords: the only module that imports argon2.

A password is the bytes of its UTF-8 text, neither trimmed nor normalized. Hashes are computed in a pool with one thread
per CPU core and a short queue. When the queue is full, a request is refused: the memory of a hash is the most expensive
resource that an unauthenticated client can use.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import threading
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, TypeVar

import argon2
from argon2.exceptions import HashingError, InvalidHashError, VerificationError, VerifyMismatchError

from visado import errors

MAX_PASSWORD_BYTES: Final = 4096
QUEUED_HASHES_PER_WORKER: Final = 32  # about one second of work with the default parameters
MIN_QUEUED_HASHES: Final = 64

T = TypeVar("T")


class HashLimits(NamedTuple):
    """The highest parameters of a hash: memory in KiB, passes, lanes, and memory times passes."""

    memory: int
    iterations: int
    parallelism: int
    work: int


HASH_LIMITS: Final = HashLimits(memory=131_072, iterations=16, parallelism=16, work=1_048_576)

_HASH: Final = re.compile(
    r"\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,3})\$[A-Za-z0-9+/]{11,88}\$[A-Za-z0-9+/]{22,88}",
    re.ASCII,
)


def encode_password(password: str) -> bytes | None:
    """Return the bytes of a password, or None if it is too long or not valid Unicode."""
    if len(password) > MAX_PASSWORD_BYTES:
        return None
    try:
        secret = password.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return None
    return secret if len(secret) <= MAX_PASSWORD_BYTES else None


def is_within_limits(stored: str) -> bool:
    """Return whether a text is an argon2id hash whose parameters are within `HASH_LIMITS`, without computing it."""
    match = _HASH.fullmatch(stored)
    if match is None:
        return False
    memory, iterations, parallelism = (int(number) for number in match.groups())
    return (
        8 * parallelism <= memory <= HASH_LIMITS.memory
        and 1 <= iterations <= HASH_LIMITS.iterations
        and 1 <= parallelism <= HASH_LIMITS.parallelism
        and memory * iterations <= HASH_LIMITS.work
    )


class Passwords:
    """Hashes and verifies passwords. It starts no thread before the first one. `memory` is in KiB."""

    def __init__(self, memory: int, iterations: int, parallelism: int, *, workers: int | None = None) -> None:
        self._hasher = argon2.PasswordHasher(iterations, memory, parallelism)
        self._decoy = _decoy(memory, iterations, parallelism)
        self._workers = workers or _cpu_cores()
        queued = max(MIN_QUEUED_HASHES, self._workers * QUEUED_HASHES_PER_WORKER)
        self._capacity = threading.BoundedSemaphore(self._workers + queued)
        self._pool: ThreadPoolExecutor | None = None

    async def hash(self, password: str) -> str:
        """Hash a password. Raises `errors.Overloaded`, or `ValueError` if `encode_password` returns None for it."""
        secret = encode_password(password)
        if secret is None:
            raise ValueError("a password that cannot be encoded")
        return await self._run(lambda: self._hasher.hash(secret))

    async def verify(self, stored: object, password: str | None) -> bool:
        """Return whether a password has this hash. Raises `errors.Overloaded`.

        Without a hash, or with one beyond the limits, a decoy is computed: the time reveals nothing to the client.
        """
        secret = encode_password(password) if password is not None else None
        usable = isinstance(stored, str) and secret is not None and is_within_limits(stored)
        candidate = stored if isinstance(stored, str) and usable else self._decoy
        return await self._run(lambda: self._matches(candidate, secret or b"")) and usable

    def is_outdated(self, stored: str) -> bool:
        """Return whether a hash has other parameters than the current ones."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Stop the threads, and cancel the queued hashes; the next password starts new threads."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    def _matches(self, stored: str, secret: bytes) -> bool:
        try:
            return self._hasher.verify(stored, secret)
        except VerifyMismatchError:
            return False
        except (InvalidHashError, VerificationError):
            if stored == self._decoy:  # the decoy is valid: argon2 could not allocate its memory
                raise errors.Overloaded from None
            self._matches(self._decoy, secret)
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if not self._capacity.acquire(blocking=False):
            raise errors.Overloaded
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="visado-local")
        try:
            future = self._pool.submit(work)
        except RuntimeError:  # the interpreter is shutting down
            self._capacity.release()
            raise errors.Overloaded from None
        future.add_done_callback(lambda _: self._capacity.release())
        try:
            return await asyncio.wrap_future(future)
        except (HashingError, MemoryError):
            raise errors.Overloaded from None


def _cpu_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _decoy(memory: int, iterations: int, parallelism: int) -> str:
    """Return a hash that no password has, and that costs as much as a real one."""
    salt, digest = (b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m={memory},t={iterations},p={parallelism}${salt}${digest}"
