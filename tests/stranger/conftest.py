collect_ignore_glob = ["visado-*"]  # plugins' own tests: they run where the plugins are installed
