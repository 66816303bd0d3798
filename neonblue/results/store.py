"""Where rendered reports are kept: a folder, or an object store by its address."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import obstore
from obstore.store import LocalStore, ObjectStore, from_url

from neonblue.settings import Settings


@dataclass(frozen=True, slots=True)
class ReportStore:
    """Files by their path within the store, such as `checkout-button/20260301T093000Z.html`."""

    place: ObjectStore
    shared: Path | None = None
    """A folder of the user's choice: what is kept there is open to whom the folder is."""

    @classmethod
    def of(cls, settings: Settings) -> ReportStore:
        """The store that the settings name; a folder is made where it is missing."""
        location = settings.reports.location or str(settings.data_dir / "reports")
        if "://" in location:
            return cls(from_url(location))
        folder = Path(location).absolute()
        return cls(
            LocalStore(prefix=folder, mkdir=True, automatic_cleanup=True),
            folder if settings.reports.location else None,
        )

    def put(self, path: str, content: bytes) -> None:
        """Write the file whole, in place of one that was there. Raises the store's or an OSError."""
        obstore.put(self.place, path, content)
        if self.shared is not None:
            _share(self.shared, self.shared / path)

    def get(self, path: str) -> bytes:
        """The file's bytes. Raises FileNotFoundError, or the store's error."""
        return bytes(obstore.get(self.place, path).bytes())

    def delete(self, path: str) -> None:
        """Remove the file; nothing where it is gone already. Raises the store's error."""
        with suppress(FileNotFoundError):
            obstore.delete(self.place, path)


def _share(folder: Path, file: Path) -> None:
    """Open `file`, and the folders down to it, as `folder` is: what the stack makes is else closed to others."""
    mode = folder.stat().st_mode
    file.chmod(mode & 0o666)
    for between in file.parents:
        if between == folder:
            return
        between.chmod(mode & 0o777)
