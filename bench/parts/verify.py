"""argon2 alone: `verify.py HASH PASSWORD SECONDS` prints how many verifications per second all its cores do."""

import os
import sys
import threading
import time

import argon2


def main() -> None:
    stored, password, seconds = sys.argv[1], sys.argv[2].encode(), float(sys.argv[3])
    hasher = argon2.PasswordHasher()
    counts: list[int] = []
    begun = time.perf_counter()
    end = begun + seconds

    def work() -> None:
        count = 0
        while time.perf_counter() < end:
            hasher.verify(stored, password)
            count += 1
        counts.append(count)

    threads = [threading.Thread(target=work) for _ in os.sched_getaffinity(0)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    print(sum(counts) / (time.perf_counter() - begun))


if __name__ == "__main__":
    main()
