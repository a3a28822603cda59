"""`python -m visado` is the command `visado`."""

from visado.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
