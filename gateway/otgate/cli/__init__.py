"""The command line: arguments only. Each verb is a module with a `Command`."""
