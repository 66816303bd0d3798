"""What is wrong with a document that a person wrote."""


class DocumentError(ValueError):
    """What is wrong, and where."""
