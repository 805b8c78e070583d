"""The rules of the marketplace, pure: no Django, no input or output, no clock."""
