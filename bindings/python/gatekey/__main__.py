"""The command ``gatekey``, also as ``python -m gatekey``; ``gatekey --help`` says what it does."""

import signal
import sys

from gatekey._core import _main


def main() -> None:
    """Run the command line of this process and exit with its code."""
    # The work is done outside of Python, where Ctrl-C would only be noted.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_main(["gatekey", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
