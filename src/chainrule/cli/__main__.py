"""`python -m chainrule.cli` is `chainrule`."""

from . import main

main()
