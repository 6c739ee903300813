"""`python -m operator_demo` in a work tree; the single file starts in `_bootstrap.py`."""

from operator_demo.cli import main

main()
