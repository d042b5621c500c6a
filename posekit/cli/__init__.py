"""The command line: commands, what they print, what this machine has and lacks, and how fast it is. Nothing imports it."""
