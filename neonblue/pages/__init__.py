"""What the pages of every service share: their frame, style and mark. Nothing of it is on another host."""

from neonblue.pages.document import LOGO, document
from neonblue.pages.files import MEDIA_TYPES, own_file

__all__ = ["LOGO", "MEDIA_TYPES", "document", "own_file"]
