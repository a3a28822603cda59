"""Hashing passwords: the one module that knows argon2.

Passwords are bytes here: UTF-8, neither trimmed nor normalised. Hashing happens in a pool of as many threads
as there are cores, with a short queue; whoever comes when it is full is refused, since the memory of a hash
is the dearest thing that a stranger can ask for.
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

MAX_LENGTH: Final = 4096
"""Bytes of a password."""

_WAITING_PER_WORKER: Final = 32  # with the default parameters about a second's work
_WAITING_AT_LEAST: Final = 64

T = TypeVar("T")


class Limits(NamedTuple):
    """What a stored hash may demand: memory in KiB, passes, lanes, and memory times passes."""

    memory: int
    iterations: int
    parallelism: int
    work: int


LIMITS: Final = Limits(memory=131_072, iterations=16, parallelism=16, work=1_048_576)

_HASH: Final = re.compile(
    r"\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,3})\$[A-Za-z0-9+/]{11,88}\$[A-Za-z0-9+/]{22,88}",
    re.ASCII,
)


def encode(password: str) -> bytes | None:
    """The bytes of a password, or None where it is too long or no Unicode text."""
    if len(password) > MAX_LENGTH:
        return None
    try:
        secret = password.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return None
    return secret if len(secret) <= MAX_LENGTH else None


def affordable(stored: str) -> bool:
    """Whether this is an argon2id hash that demands no more than the limits: said without any work."""
    found = _HASH.fullmatch(stored)
    if found is None:
        return False
    memory, iterations, parallelism = (int(number) for number in found.groups())
    return (
        8 * parallelism <= memory <= LIMITS.memory
        and 1 <= iterations <= LIMITS.iterations
        and 1 <= parallelism <= LIMITS.parallelism
        and memory * iterations <= LIMITS.work
    )


class Passwords:
    """Hashes and verifies. Makes no thread before the first password."""

    def __init__(self, memory: int, iterations: int, parallelism: int, *, workers: int | None = None) -> None:
        self._hasher = argon2.PasswordHasher(iterations, memory, parallelism)
        self._decoy = _decoy(memory, iterations, parallelism)
        self._workers = workers or _cores()
        waiting = max(_WAITING_AT_LEAST, self._workers * _WAITING_PER_WORKER)
        self._places = threading.BoundedSemaphore(self._workers + waiting)
        self._pool: ThreadPoolExecutor | None = None

    async def hash(self, password: str) -> str:
        """Hash a password that `encode` takes. Raises `Overloaded`."""
        secret = encode(password)
        if secret is None:
            raise ValueError("a password that cannot be encoded")
        return await self._run(lambda: self._hasher.hash(secret))

    async def verify(self, stored: object, password: str | None) -> bool:
        """Whether the password made this hash. Raises `Overloaded`.

        Where there is no hash, or none that may be computed, a decoy is: who waits cannot tell.
        """
        secret = encode(password) if password is not None else None
        known = isinstance(stored, str) and secret is not None and affordable(stored)
        candidate = stored if isinstance(stored, str) and known else self._decoy
        return await self._run(lambda: self._matches(candidate, secret or b"")) and known

    def outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Let the threads go, and what waits for them; the next password makes new ones."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    def _matches(self, stored: str, secret: bytes) -> bool:
        try:
            return self._hasher.verify(stored, secret)
        except VerifyMismatchError:
            return False
        except (InvalidHashError, VerificationError):
            if stored == self._decoy:  # not even that: there is no memory left
                raise errors.Overloaded from None
            self._matches(self._decoy, secret)
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if not self._places.acquire(blocking=False):
            raise errors.Overloaded
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="visado-local")
        try:
            future = self._pool.submit(work)
        except RuntimeError:  # the interpreter is going down
            self._places.release()
            raise errors.Overloaded from None
        future.add_done_callback(lambda _: self._places.release())
        try:
            return await asyncio.wrap_future(future)
        except (HashingError, MemoryError):
            raise errors.Overloaded from None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _decoy(memory: int, iterations: int, parallelism: int) -> str:
    """Make up a hash that no password has, and that costs what a real one does."""
    salt, digest = (b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m={memory},t={iterations},p={parallelism}${salt}${digest}"
