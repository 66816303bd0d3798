"""Reading data files: one reader and one report for every command that takes a file."""
