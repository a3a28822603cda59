"""What visado asks a directory: logins, entries that credentials name, groups, and entries that may still log in.

Everything here blocks, and runs in worker threads. Does not own which user a person is: the host does.
"""
