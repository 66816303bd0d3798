"""The audit log as a resource: its entries, page by page."""
