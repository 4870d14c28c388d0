"""`python -m services` is the command `huifang`."""

from services.cli import main

main()
