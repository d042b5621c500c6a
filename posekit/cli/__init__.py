"""The command line: commands, what they print, and what this machine has and lacks."""
