"""See tests.fuzz.command."""

from __future__ import annotations

from tests.fuzz.command import main

raise SystemExit(main())
