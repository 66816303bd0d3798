"""What a result says, in the same words wherever it is read: the report, the command line, the API. Pure."""
