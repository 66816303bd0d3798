"""A person's page: look up, try, export, erase."""
