collect_ignore = ["visado-htpasswd"]  # a plugin's own tests: they run where the plugin is installed
