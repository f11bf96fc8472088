"""A memo: what others have made of an object that does not change, such as a compiled plan, kept with the object."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any


class Memo(dict[Hashable, Any]):
    """Things made of an object, by what they are; they live as long as it.

    A deep copy or a pickle of the object begins with an empty memo: what is compiled can be in no file.

    >>> import pickle
    >>> pickle.loads(pickle.dumps(Memo(plan=object())))
    {}
    """

    def __reduce__(self) -> tuple[type[Memo], tuple[()]]:
        """Return an empty memo, for copies."""
        return Memo, ()
