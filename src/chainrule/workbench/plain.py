"""Facts as plain JSON, for the faces that print them."""

from __future__ import annotations

from ..foundation.records import Plain

plain_json = Plain()
"""NumPy numbers become numbers, tuples and arrays lists, what is not finite None, other objects their text."""
