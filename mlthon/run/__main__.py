"""``python -m mlthon.run``."""

from mlthon.run.cli import main

if __name__ == "__main__":
    main()
