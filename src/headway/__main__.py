"""`python -m headway` is the `headway` command."""

from headway.interfaces.cli import main

if __name__ == "__main__":
    main()
