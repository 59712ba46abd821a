"""``python -m fairness_checks``."""

import sys

from fairness_checks.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
