"""What a process gives up of its own rights: Landlock rules and a filter of system calls."""
