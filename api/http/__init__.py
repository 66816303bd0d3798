"""The words of HTTP that every call uses: bodies, problems, tags, pages. Knows no resource and no store."""
