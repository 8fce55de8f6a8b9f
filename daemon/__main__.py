"""The command `tocsin`."""

from tocsin.daemon.cli import main

if __name__ == "__main__":
    main()
