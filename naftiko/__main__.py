"""`python -m naftiko` is the command `naftiko`."""

from __future__ import annotations

import sys

from naftiko.cli.main import main

sys.exit(main())
