"""The form in which an experiment is made and changed."""
