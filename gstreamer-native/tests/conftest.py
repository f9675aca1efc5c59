# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of this folder share."""

import pathlib
import sys

NATIVE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(NATIVE))
