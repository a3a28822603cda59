"""The plugin author's kit: suites to subclass, and hosts to test against.

Owns what a plugin promises, as tests. `StrategyContract` for strategies, `StorageContract` for storages, `live` for a
real host in a process of its own. It needs pytest, which is yours to install.
"""
