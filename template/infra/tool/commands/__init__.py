"""The commands, one module for each: its options, its help with exit codes, and what it calls."""
