"""``python -m mlthon.run``."""

import sys

if __name__ == "__main__":
    try:
        from mlthon.run.cli import main  # within the guard: this is where the first second goes

        main()
    except KeyboardInterrupt:
        sys.exit(130)
