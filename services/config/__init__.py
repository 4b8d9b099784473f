"""The `undeliver config` command: the configuration file, before anything runs on it."""
