"""What NeonBlue is made of, for maintainers: the bill of materials, and known advisories on its parts."""
